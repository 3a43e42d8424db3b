"""WebSocket clients not written here: those of the SDKs that still have one. Neither can show a token."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from gateway.auth.bearer import Open
from tests.clients import client_venv, node_programs, node_project
from tests.unit.gateway.transports.serving import Site, serving

pytestmark = pytest.mark.slow

_PYTHON = """
import asyncio, sys, warnings
warnings.simplefilter("ignore")
from mcp import ClientSession
from mcp.client.websocket import websocket_client

async def main():
    async with websocket_client(sys.argv[1]) as streams, ClientSession(*streams) as session:
        print((await session.initialize()).serverInfo.name)
        for _ in range(3):
            await session.send_ping()

asyncio.run(main())
"""
_NODE = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";

const client = new Client({ name: "test", version: "1" });
await client.connect(new WebSocketClientTransport(new URL(process.argv[2])));
console.log(client.getServerVersion().name);
for (let n = 0; n < 3; n++) await client.ping();
await client.close();
"""


def python_client(folder: Path) -> list[str]:
    """The Python SDK, 1.x."""
    script = folder / "client.py"
    script.write_text(_PYTHON)
    return [str(client_venv("mcp[ws]==1.30.0")), "-I", str(script)]


def node_client(folder: Path) -> list[str]:
    """The TypeScript SDK, 1.x. Node looks for packages beside the script."""
    packages = node_project(["@modelcontextprotocol/sdk@1.32.2"])
    (folder / "node_modules").symlink_to(packages / "node_modules")
    script = folder / "client.mjs"
    script.write_text(_NODE)
    return [str(node_programs() / "node"), str(script)]


@pytest.mark.parametrize("client", [python_client, node_client])
async def test_a_client_connects_and_leaves(
    client: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    """Handshake, pings, goodbye; its session ends with its connection."""
    command = await trio.to_thread.run_sync(client, tmp_path)
    async with serving(Site(auth=Open())) as site:
        done = await trio.run_process(
            [*command, f"ws://127.0.0.1:{site.port}/ws"],
            capture_stdout=True,
            env={**os.environ, "NODE_NO_WARNINGS": "1"},
        )
        assert done.stdout.decode().strip() == "fake"
        await site.last.was_closed.wait()
        assert len(site.last.received) == 5
