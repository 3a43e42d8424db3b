"""Remote servers that were not written here: PyPI `mcp` 1.x and 2.x, over Streamable HTTP, HTTP+SSE and WebSockets."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio

from gateway.catalog.model import RemoteLaunch, RemoteTransport
from gateway.errors import Gone
from gateway.jsonrpc.codec import raw
from gateway.jsonrpc.messages import Message, Notification, Request, Result, Untaken
from gateway.ports import MessagePipe
from gateway.upstreams import open_remote
from tests.clients import client_venv

pytestmark = pytest.mark.slow

SERVER = Path(__file__).with_name("published_server.py")
WITH_WEBSOCKETS = "mcp[ws]==1.30.0"
"""The last that has them."""
START_S = 30
PATIENCE_S = 10
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "test", "version": "1"},
}


@asynccontextmanager
async def serving(version: str, transport: str, port: int, *options: str) -> AsyncIterator[None]:
    """The server, once it listens; killed after the block."""
    package = WITH_WEBSOCKETS if transport == "websocket" else f"mcp=={version}.*"
    python = await trio.to_thread.run_sync(client_venv, package)
    command = [str(python), str(SERVER), transport, str(port), *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = await trio.lowlevel.open_process(command, **quiet)
    try:
        with trio.fail_after(START_S):
            while not await _listens(port):  # noqa: ASYNC110 - another process has no event
                await trio.sleep(0.05)
        yield
    finally:
        process.kill()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + PATIENCE_S):
            await process.wait()


async def _listens(port: int) -> bool:
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def connected(url: str, transport: RemoteTransport) -> AsyncIterator[MessagePipe]:
    """A pipe that has done the handshake."""
    launch = RemoteLaunch(url=url, transport=transport)
    pipe = await open_remote(launch, server="published")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.run)
        try:
            hello = await ask(pipe, 0, "initialize", INITIALIZE)
            assert hello["serverInfo"]["name"] == "published"
            pipe.send(Notification("notifications/initialized"))
            yield pipe
        finally:
            await pipe.aclose()


async def ask(pipe: MessagePipe, number: int, method: str, fields: object) -> dict[str, object]:
    """The result of a request; what comes before it is ignored."""
    pipe.send(Request(number, method, raw(fields)))
    while not isinstance(message := await hear(pipe), Result) or message.id != number:
        pass
    return msgspec.json.decode(message.result)


async def hear(pipe: MessagePipe) -> Message:
    """The next message."""
    with trio.fail_after(PATIENCE_S):
        return await pipe.receive()


async def call(pipe: MessagePipe, number: int, tool: str, **arguments: object) -> str:
    """The text that a tool answers."""
    result = await ask(pipe, number, "tools/call", {"name": tool, "arguments": arguments})
    return str(result["content"][0]["text"])


Kind = tuple[str, RemoteTransport, str, tuple[str, ...]]
KINDS: list[Kind] = [
    ("1", "streamable-http", "/mcp", ()),
    ("1", "streamable-http", "/mcp", ("json",)),
    ("1", "sse", "/sse", ()),
    ("1", "websocket", "/ws", ()),
    ("2", "streamable-http", "/mcp", ()),
    ("2", "streamable-http", "/mcp", ("json",)),
    ("2", "sse", "/sse", ()),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join((*kind[:2], *kind[3])))
def kind(request: pytest.FixtureRequest) -> Kind:
    """A library version, a transport and its path, and options of the server."""
    return request.param


async def test_a_published_server_is_served(kind: Kind) -> None:
    """Lists, calls, progress, a question to the client, a cancellation, many calls at a time, and the end."""
    version, transport, path, options = kind
    port = free_port()
    scheme = "ws" if transport == "websocket" else "http"
    url = f"{scheme}://127.0.0.1:{port}{path}"
    async with (
        serving(version, transport, port, *options),
        connected(url, transport) as pipe,
    ):
        tools = await ask(pipe, 1, "tools/list", {})
        assert [tool["name"] for tool in tools["tools"]] == ["greet", "work", "ask", "hang"]
        assert await call(pipe, 2, "greet", name="Käthe") == "Hello, Käthe!"
        if not options:
            await check_progress(pipe)
            await check_question(pipe)
        await check_cancellation(pipe)
        await check_many(pipe)


async def check_progress(pipe: MessagePipe) -> None:
    """Notifications arrive in order, before the answer."""
    fields = {"name": "work", "arguments": {"steps": 3}, "_meta": {"progressToken": "t"}}
    pipe.send(Request(10, "tools/call", raw(fields)))
    steps = []
    while isinstance(message := await hear(pipe), Notification):
        if message.method == "notifications/progress":
            steps.append(msgspec.json.decode(message.params or b"")["progress"])
    assert steps == [1, 2, 3]
    assert isinstance(message, Result)


async def check_question(pipe: MessagePipe) -> None:
    """The server asks in the middle of a call; the answer reaches it."""
    pipe.send(Request(20, "tools/call", raw({"name": "ask", "arguments": {}})))
    while not isinstance(question := await hear(pipe), Request):
        pass
    assert question.method == "elicitation/create"
    pipe.send(Result(question.id, raw({"action": "accept", "content": {"color": "blue"}})))
    while not isinstance(answer := await hear(pipe), Result):
        pass
    assert b"accept: blue" in bytes(answer.result)


async def check_cancellation(pipe: MessagePipe) -> None:
    """A call that never ends is given up; the pipe goes on."""
    pipe.send(Request(30, "tools/call", raw({"name": "hang", "arguments": {}})))
    await trio.sleep(0.1)
    pipe.send(Notification("notifications/cancelled", raw({"requestId": 30})))
    assert await call(pipe, 31, "greet", name="you") == "Hello, you!"


async def check_many(pipe: MessagePipe) -> None:
    """Calls at a time are all answered."""
    numbers = set(range(100, 120))
    for number in numbers:
        fields = {"name": "greet", "arguments": {"name": str(number)}}
        pipe.send(Request(number, "tools/call", raw(fields)))
    while numbers:
        message = await hear(pipe)
        if isinstance(message, Result):
            assert f"Hello, {message.id}!".encode() in bytes(message.result)
            numbers.remove(message.id)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_restarted_server_is_told(version: str) -> None:
    """It no longer knows the session; the owner learns that it has to greet it anew."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    async with serving(version, "streamable-http", port):
        pass  # installed and warm: the second start is quick
    async with trio.open_nursery() as nursery:
        async with serving(version, "streamable-http", port):
            launch = RemoteLaunch(url=url, transport="streamable-http")
            pipe = await open_remote(launch, server="published")
            nursery.start_soon(pipe.run)
            await ask(pipe, 0, "initialize", INITIALIZE)
        async with serving(version, "streamable-http", port):
            pipe.send(Request(1, "tools/list", raw({})))
            untaken = await hear(pipe)
            assert isinstance(untaken, Untaken)
            with pytest.raises(Gone, match="has ended the session"):
                await hear(pipe)
        await pipe.aclose()


async def test_an_sse_server_in_an_entry_for_streamable_http_is_found() -> None:
    """Catalogs are often wrong about that."""
    port = free_port()
    async with (
        serving("1", "sse", port),
        connected(f"http://127.0.0.1:{port}/sse", "streamable-http") as pipe,
    ):
        assert await call(pipe, 1, "greet", name="you") == "Hello, you!"
