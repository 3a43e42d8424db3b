"""How clients connect: stdio, Streamable HTTP, SSE. Must not know servers or containers."""
