"""Pages for people and probes: help page and health. Must not know MCP."""
