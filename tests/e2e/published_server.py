"""A server made with PyPI `mcp`, 1.x or 2.x; runs under their own python: `published_server.py TRANSPORT PORT [json]`."""

from __future__ import annotations

import asyncio
import sys

from pydantic import BaseModel

try:
    from mcp.server.mcpserver import Context, MCPServer
except ImportError:
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as MCPServer


class Answer(BaseModel):
    """What the person is asked for."""

    color: str


async def greet(name: str) -> str:
    """Greets."""
    return f"Hello, {name}!"


async def work(steps: int, ctx: Context) -> str:
    """Takes some steps, and reports each."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
    return "worked"


async def ask(ctx: Context) -> str:
    """Asks the person something."""
    answer = await ctx.elicit("Which color?", Answer)
    return f"{answer.action}: {answer.data.color if answer.action == 'accept' else 'none'}"


async def hang() -> str:
    """Never answers."""
    await asyncio.sleep(3600)
    return "never"


async def over_websocket(server: MCPServer, port: int) -> None:
    """Serves `/ws`; only 1.x can."""
    import uvicorn
    from mcp.server.websocket import websocket_server
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    core = server._mcp_server

    async def endpoint(socket: WebSocket) -> None:
        async with websocket_server(socket.scope, socket.receive, socket.send) as streams:
            await core.run(*streams, core.create_initialization_options())

    app = Starlette(routes=[WebSocketRoute("/ws", endpoint)])
    await uvicorn.Server(uvicorn.Config(app, port=port)).serve()


def main(transport: str, port: int, *, json: bool) -> None:
    """Serves on loopback until killed."""
    network = {"host": "127.0.0.1", "port": port}
    if transport == "streamable-http":
        network["json_response"] = json
    is_old = MCPServer.__name__ == "FastMCP"
    server = MCPServer("published", **(network if is_old else {}))
    for tool in (greet, work, ask, hang):
        server.tool()(tool)
    if transport == "websocket":
        asyncio.run(over_websocket(server, port))
        return
    server.run(transport=transport, **({} if is_old else network))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json="json" in sys.argv[3:])
