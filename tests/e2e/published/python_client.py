"""A client of the Python SDK, 1.x or 2.x, in an environment of its own. Must import nothing of this repository.

Reads `{"target": …, "steps": [[method, params], …]}` on stdin; prints one outcome per step as a JSON list.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

try:  # 2.x
    import httpx2 as httpx
    from mcp import Client, MCPError
except ImportError:  # 1.x
    import httpx
    from mcp.shared.exceptions import McpError as MCPError

    Client = None

TIMEOUT_S = 60.0


@asynccontextmanager
async def _transport(target: dict[str, Any]) -> AsyncIterator[tuple[Any, Any]]:
    """The two streams to the gateway."""
    headers = {"Authorization": f"Bearer {target.get('token', '')}"}
    async with AsyncExitStack() as stack:
        match target["transport"]:
            case "stdio":
                command, *arguments = target["command"]
                parameters = StdioServerParameters(
                    command=command, args=arguments, env=target["environ"]
                )
                streams = await stack.enter_async_context(stdio_client(parameters))
            case "sse":
                streams = await stack.enter_async_context(
                    sse_client(target["url"] + "/sse", headers=headers)
                )
            case _:
                web = await stack.enter_async_context(
                    httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S)
                )
                streams = await stack.enter_async_context(
                    streamable_http_client(target["url"] + "/mcp", http_client=web)
                )
        yield streams[0], streams[1]


async def _do(session: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The outcome of one step."""
    progress: list[list[float | None]] = []

    async def on_progress(done: float, total: float | None, _message: str | None) -> None:
        progress.append([done, total])

    try:
        match method:
            case "tools/call":
                result = await session.call_tool(
                    params["name"], params["arguments"], progress_callback=on_progress
                )
            case "prompts/get":
                result = await session.get_prompt(params["name"], params.get("arguments"))
            case "resources/read":
                result = await session.read_resource(params["uri"])
            case "resources/templates/list":
                result = await session.list_resource_templates()
            case _:
                result = await getattr(session, "list_" + method.partition("/")[0])()
    except MCPError as error:
        return {"error": str(error)}
    shown = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"result": shown, "progress": progress}


async def main() -> None:
    """Does all steps in one session."""
    task = json.load(sys.stdin)
    async with AsyncExitStack() as stack:
        if Client is not None:
            session = await stack.enter_async_context(Client(_transport(task["target"])))
        else:
            streams = await stack.enter_async_context(_transport(task["target"]))
            session = await stack.enter_async_context(ClientSession(*streams))
            await session.initialize()
        outcomes = [await _do(session, method, params) for method, params in task["steps"]]
    json.dump(outcomes, sys.stdout)


asyncio.run(main())
