"""Published clients times eras, transports, and servers of either era: each does all it can in a session of its own.

`cells` says what is tried, and what a client cannot do and why; `python -m tests.e2e.matrix` prints it into docs/protocol.md.
"""
