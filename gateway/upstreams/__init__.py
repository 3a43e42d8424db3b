"""Message pipes to live servers: over a runtime's link, Streamable HTTP, SSE."""
