"""The Model Context Protocol as tables and pure functions. Must not do I/O."""
