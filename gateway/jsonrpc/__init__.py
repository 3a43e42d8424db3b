"""JSON-RPC 2.0 messages and their framing. Must not know MCP, and does no I/O."""
