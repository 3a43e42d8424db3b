"""Where servers run: container engines and local processes. Must not know MCP."""
