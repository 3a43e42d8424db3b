"""Mailboxes, supervision, backoff, drain. Knows nothing of MCP."""
