"""What the gateway knows and touches: protocol, catalogs, policies, transports, runtimes.

No module below keeps state shared by two clients and none starts a long-lived task of its own: whatever lives, lives
in `actors`. Must not import `actors`, except from `gateway.cli`, the composition root.
"""

__version__ = "0.1.0"
