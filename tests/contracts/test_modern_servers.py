"""A modern server not written here: PyPI `mcp` 2.x over Streamable HTTP, asked by our pipe as a modern client asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from gateway.catalog.model import RemoteLaunch
from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result
from gateway.ports import MessagePipe
from gateway.upstreams import open_remote
from tests.conformance.targets import served
from tests.unit.gateway.upstreams.running import modern

pytestmark = pytest.mark.slow

PATIENCE_S = 20


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The conformance fixture, which refuses the handshake and whatever its headers do not tell of."""
    with served("modern_only", tmp_path_factory.mktemp("fixture")) as url:
        yield url


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[MessagePipe]:
    """A pipe that has said nothing yet."""
    launch = RemoteLaunch(url=url, transport="streamable-http")
    pipe = await open_remote(launch, server="fixture")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipe.run)
            try:
                yield pipe
            finally:
                await pipe.aclose()


async def ask(pipe: MessagePipe, request: Request) -> tuple[list[Message], Message]:
    """What came before the answer to a request, and the answer."""
    pipe.send(request)
    before: list[Message] = []
    while not isinstance(message := await pipe.receive(), Result | Failure):
        before.append(message)
    assert message.id == request.id
    return before, message


async def test_it_is_discovered_and_listed(url: str) -> None:
    """Nothing was opened before."""
    async with connected(url) as pipe:
        _, found = await ask(pipe, modern(1, "server/discover"))
        _, listed = await ask(pipe, modern(2, "tools/list"))
    assert isinstance(found, Result)
    assert "2026-07-28" in msgspec.json.decode(found.result)["supportedVersions"]
    assert isinstance(listed, Result)
    assert b"test_x_mcp_header" in bytes(listed.result)


@pytest.mark.parametrize("region", ["eu-west-1", "Zürich ", "=?base64?eA==?="])
async def test_it_gets_its_arguments_in_headers_too(url: str, region: str) -> None:
    """Without having shown its list first, whatever the characters."""
    call = modern(1, "tools/call", name="test_x_mcp_header", arguments={"region": region})
    async with connected(url) as pipe:
        _, answer = await ask(pipe, call)
    assert isinstance(answer, Result), answer
    assert not msgspec.json.decode(answer.result).get("isError")


async def test_progress_comes_on_the_stream_of_its_call(url: str) -> None:
    """In order, before the answer."""
    call = modern(1, "tools/call", name="test_tool_with_progress", arguments={})
    members = msgspec.json.decode(call.params or b"")
    members["_meta"]["progressToken"] = 1
    call = msgspec.structs.replace(call, params=msgspec.Raw(msgspec.json.encode(members)))
    async with connected(url) as pipe:
        before, answer = await ask(pipe, call)
    assert isinstance(answer, Result)
    steps = [
        msgspec.json.decode(message.params or b"")["progress"]
        for message in before
        if isinstance(message, Notification)
    ]
    assert len(steps) == 3
    assert steps == sorted(steps)


async def test_changes_come_on_the_stream_that_listens(url: str) -> None:
    """Until it is cancelled; other requests go on meanwhile."""
    wanted = {"toolsListChanged": True}
    async with connected(url) as pipe:
        pipe.send(modern(1, "subscriptions/listen", notifications=wanted))
        acknowledged = await pipe.receive()
        assert isinstance(acknowledged, Notification)
        assert acknowledged.method == "notifications/subscriptions/acknowledged"
        pipe.send(modern(2, "tools/call", name="test_trigger_tool_change", arguments={}))
        seen = {type(await pipe.receive()) for _ in range(2)}
        assert seen == {Notification, Result}
        cancelled = msgspec.Raw(b'{"requestId":1}')
        pipe.send(Notification("notifications/cancelled", cancelled))
        await ask(pipe, modern(3, "tools/call", name="test_trigger_tool_change", arguments={}))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (modern(1, "no/such"), -32601),
        (modern(1, "resources/read", uri="test://no-such"), -32602),
        (Request(1, "initialize", msgspec.Raw(b'{"protocolVersion":"2025-11-25"}')), -32022),
    ],
)
async def test_its_errors_keep_their_codes(url: str, request_: Request, code: int) -> None:
    """They decide what is done next."""
    async with connected(url) as pipe:
        _, answer = await ask(pipe, request_)
    assert isinstance(answer, Failure)
    assert answer.code == code
