"""What every message pipe promises, whatever carries it.

Over a link, Streamable HTTP of both eras, HTTP+SSE, either of the latter after a probe, and a WebSocket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
import trio

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import GatewayError, Gone
from gateway.jsonrpc.messages import Notification, Request, Result, Untaken
from gateway.mcp import meta, versions
from gateway.mcp.params import pack
from gateway.ports import MessagePipe
from gateway.upstreams import open_remote
from gateway.upstreams.http import HttpPipe
from gateway.upstreams.sse import SsePipe
from gateway.upstreams.stdio import StdioPipe
from tests.fakes.http_server import serve
from tests.fakes.mcp_server import (
    Brain,
    McpOverHttp,
    McpOverSocket,
    McpOverSse,
    McpWithoutSessions,
)
from tests.fakes.memory_link import MemoryLink, serve_lines
from tests.fakes.socket_server import serve_socket

PATIENCE_S = 5
HELLO = Request(0, "initialize", msgspec.Raw(b'{"protocolVersion":"2025-06-18"}'))


class Setup(msgspec.Struct):
    """A pipe that is not running yet, the server at its other end, and a way to end that server.

    `stateless`: the server is modern, so that each request says everything, and no session can end.
    """

    pipe: MessagePipe
    brain: Brain
    end: Callable[[], Awaitable[None]]
    stateless: bool = False

    def send(self, request: Request) -> Request:
        """Sends a request in the server's era; returns it as it was sent."""
        if self.stateless:
            members = msgspec.json.decode(request.params or b"{}", type=dict[str, msgspec.Raw])
            said = meta.stamp(
                members,
                version=versions.MODERN[0],
                capabilities={},
                client_info=msgspec.Raw(b'{"name":"test","version":"1"}'),
            )
            request = msgspec.structs.replace(request, params=pack(said))
        self.pipe.send(request)
        return request

    async def open(self) -> None:
        """Says hello, and hears it."""
        self.send(HELLO)
        await answer(self.pipe, 0)


@asynccontextmanager
async def over_link() -> AsyncIterator[Setup]:
    """A runtime's link, in memory."""
    link, brain = MemoryLink(), Brain()

    async def end() -> None:
        link.die(1, "out of luck")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_lines, link, brain.take)
        yield Setup(StdioPipe(link, server="fake"), brain, end)
        nursery.cancel_scope.cancel()


def launch(url: str, *, sse: bool = False) -> RemoteLaunch:
    """An endpoint without headers."""
    return RemoteLaunch(url=url, transport="sse" if sse else "streamable-http")


@asynccontextmanager
async def over_http() -> AsyncIterator[Setup]:
    """Streamable HTTP on loopback."""
    speaks = McpOverHttp()

    async def end() -> None:
        speaks.sessions.clear()

    async with serve(speaks) as server:
        pipe = HttpPipe(launch(server.origin + "/mcp"), server="fake")
        yield Setup(pipe, speaks.brain, end)


@asynccontextmanager
async def over_sse() -> AsyncIterator[Setup]:
    """HTTP+SSE on loopback."""
    speaks = McpOverSse()

    async def end() -> None:
        speaks.hang_up()

    async with serve(speaks) as server:
        pipe = SsePipe(launch(server.origin + "/sse", sse=True), server="fake")
        yield Setup(pipe, speaks.brain, end)


@asynccontextmanager
async def probed_http() -> AsyncIterator[Setup]:
    """Streamable HTTP, as `open_remote` finds out."""
    async with over_http() as setup:
        address = setup.pipe.name
        yield Setup(await open_remote(launch(address), server="fake"), setup.brain, setup.end)


@asynccontextmanager
async def probed_sse() -> AsyncIterator[Setup]:
    """HTTP+SSE, as `open_remote` finds out."""
    async with over_sse() as setup:
        address = setup.pipe.name
        yield Setup(await open_remote(launch(address), server="fake"), setup.brain, setup.end)


@asynccontextmanager
async def over_modern_http() -> AsyncIterator[Setup]:
    """Streamable HTTP without sessions on loopback."""
    speaks = McpWithoutSessions()

    async def end() -> None:
        raise NotImplementedError

    async with serve(speaks) as server:
        pipe = HttpPipe(launch(server.origin + "/mcp"), server="fake")
        yield Setup(pipe, speaks.brain, end, stateless=True)


@asynccontextmanager
async def over_websocket() -> AsyncIterator[Setup]:
    """A WebSocket on loopback."""
    speaks = McpOverSocket()

    async def end() -> None:
        speaks.hang_up()

    async with serve_socket(speaks) as server:
        where = RemoteLaunch(url=server.url, transport="websocket")
        yield Setup(await open_remote(where, server="fake"), speaks.brain, end)


IN_SESSION = [over_link, over_http, over_sse, probed_http, probed_sse, over_websocket]
SETUPS = [*IN_SESSION, over_modern_http]
in_session = pytest.mark.parametrize(
    "fresh", IN_SESSION, indirect=True, ids=lambda setup: setup.__name__
)


@pytest.fixture(params=SETUPS, ids=lambda setup: setup.__name__)
async def fresh(request: pytest.FixtureRequest) -> AsyncIterator[Setup]:
    """A pipe that nobody runs."""
    with trio.fail_after(PATIENCE_S * 2):
        async with request.param() as setup:
            yield setup
            await setup.pipe.aclose()


@pytest.fixture
async def setup(fresh: Setup, nursery: trio.Nursery) -> Setup:
    """A pipe that runs and has said hello."""
    nursery.start_soon(fresh.pipe.run)
    await fresh.open()
    return fresh


async def answer(pipe: MessagePipe, number: int) -> Result:
    """The next message, which must be the result to that id."""
    with trio.fail_after(PATIENCE_S):
        message = await pipe.receive()
    assert isinstance(message, Result)
    assert message.id == number
    return message


def echo(number: int, text: bytes = b"hi") -> Request:
    """A request whose params come back."""
    return Request(number, "echo", msgspec.Raw(b'{"data": "%b"}' % text))


async def test_what_is_sent_before_the_pipe_runs_is_delivered(
    fresh: Setup, nursery: trio.Nursery
) -> None:
    """The owner need not wait for the pipe to be up."""
    fresh.send(HELLO)
    nursery.start_soon(fresh.pipe.run)
    hello = await answer(fresh.pipe, 0)
    assert b"fake" in bytes(hello.result)


async def test_a_request_gets_its_answer_with_its_values(setup: Setup) -> None:
    """Payloads arrive as they were sent, unknown fields and all."""
    payload = b'{"a":[1,1.0,1e2,null],"\xc3\xa9":"\\u00e9\\n","deep":{"x":{}}}'
    sent = setup.send(Request(7, "echo", msgspec.Raw(payload)))
    received = (await answer(setup.pipe, 7)).result
    assert bytes(received) == bytes(sent.params or b"")
    assert bytes(received).startswith(payload[:-1])


async def test_many_requests_in_flight_are_all_answered(setup: Setup) -> None:
    """Answers may come in any order, each exactly once."""
    numbers = set(range(1, 51))
    for number in numbers:
        setup.send(echo(number))
    seen: set[object] = set()
    with trio.fail_after(PATIENCE_S):
        while seen != numbers:
            message = await setup.pipe.receive()
            assert isinstance(message, Result)
            assert message.id not in seen
            seen.add(message.id)


async def test_a_notification_comes_before_the_answer_it_belongs_to(setup: Setup) -> None:
    """Progress is not held back."""
    sent = setup.send(Request(1, "chat", msgspec.Raw(b'{"progress":1}')))
    with trio.fail_after(PATIENCE_S):
        first = await setup.pipe.receive()
    assert first == Notification("notifications/progress", sent.params)
    await answer(setup.pipe, 1)


@in_session
async def test_the_server_can_ask_and_gets_its_answer(setup: Setup) -> None:
    """A server's request arrives, and the result sent for it reaches the server."""
    setup.send(Request(1, "ask"))
    with trio.fail_after(PATIENCE_S):
        question = await setup.pipe.receive()
    assert isinstance(question, Request)
    setup.pipe.send(Result(question.id, msgspec.Raw(b'{"roots":[]}')))
    assert bytes((await answer(setup.pipe, 1)).result) == b'{"roots":[]}'


async def test_a_notification_reaches_the_server(setup: Setup) -> None:
    """What has no answer is delivered all the same."""
    told = Notification("notifications/roots/list_changed")
    setup.pipe.send(told)
    setup.send(echo(1))
    await answer(setup.pipe, 1)
    with trio.fail_after(PATIENCE_S):
        await setup.brain.was_told.wait()
    assert setup.brain.told == [told]


async def test_rubbish_is_skipped_and_half_characters_are_repaired(setup: Setup) -> None:
    """A server that logs on its stdout, or cuts an emoji in two, is still served."""
    setup.send(Request(1, "rubbish"))
    with trio.fail_after(PATIENCE_S):
        repaired = await setup.pipe.receive()
    assert isinstance(repaired, Notification)
    assert msgspec.json.decode(repaired.params or b"") == {"text": "\ufffd"}
    await answer(setup.pipe, 1)


async def test_a_long_message_passes(setup: Setup) -> None:
    """A screenshot fits."""
    text = b"x" * limits.MIB
    setup.send(echo(1, text))
    assert text in bytes((await answer(setup.pipe, 1)).result)


async def test_a_cancelled_receive_loses_nothing(setup: Setup) -> None:
    """The next one gets the message."""
    with trio.move_on_after(0) as scope:
        await setup.pipe.receive()
    assert scope.cancelled_caught
    setup.send(echo(1))
    await answer(setup.pipe, 1)


@in_session
async def test_the_end_of_the_server_is_told_by_name(setup: Setup) -> None:
    """Whoever waits learns that the server is gone, and nothing can be sent any more."""
    await setup.end()
    with suppress(GatewayError):
        setup.send(echo(1))
    with trio.fail_after(PATIENCE_S), pytest.raises(Gone, match="'fake'"):
        await _pass_over_untaken(setup.pipe)
    with pytest.raises(Gone, match="'fake'"):
        setup.send(echo(2))


async def test_a_closed_pipe_neither_sends_nor_receives(setup: Setup) -> None:
    """Closing ends a waiting `receive` and every later `send`, and may be repeated."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_expect_gone, setup.pipe)
        await trio.testing.wait_all_tasks_blocked()
        await setup.pipe.aclose()
        await setup.pipe.aclose()
    with pytest.raises(Gone):
        setup.send(echo(1))


async def test_a_killed_pipe_is_closed_at_once(setup: Setup) -> None:
    """Without patience, and whatever is in flight."""
    setup.send(Request(1, "hang"))
    await trio.testing.wait_all_tasks_blocked()
    await setup.pipe.kill()
    with pytest.raises(Gone):
        await setup.pipe.receive()
    with pytest.raises(Gone):
        setup.send(echo(2))


async def test_closing_ends_run(fresh: Setup) -> None:
    """The owner's nursery is left with nothing."""
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fresh.pipe.run)
            await fresh.open()
            fresh.send(Request(1, "hang"))
            await trio.testing.wait_all_tasks_blocked()
            await fresh.pipe.aclose()


async def test_closing_is_completed_when_cancelled(fresh: Setup) -> None:
    """A cancelled owner leaves nothing open."""
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fresh.pipe.run)
            await fresh.open()
            nursery.cancel_scope.cancel()
            await fresh.pipe.aclose()
    with pytest.raises(Gone):
        await fresh.pipe.receive()


async def test_a_cancelled_run_ends_at_once(fresh: Setup) -> None:
    """With calls in flight, too."""
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fresh.pipe.run)
            await fresh.open()
            fresh.send(Request(1, "hang"))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    with pytest.raises(Gone):
        fresh.pipe.send(echo(2))


async def test_repr_tells_which_server_and_how_it_stands(setup: Setup) -> None:
    """For logs and failing tests."""
    assert "fake" in repr(setup.pipe)
    assert setup.pipe.name in repr(setup.pipe)
    assert setup.pipe.stderr_tail() == ""


async def test_a_pipe_that_never_ran_can_be_closed(fresh: Setup) -> None:
    """Nothing was opened, so there is nothing to wait for."""
    with trio.fail_after(PATIENCE_S):
        await fresh.pipe.aclose()
    with pytest.raises(Gone):
        await fresh.pipe.receive()


async def _pass_over_untaken(pipe: MessagePipe) -> None:
    while isinstance(await pipe.receive(), Untaken):
        pass


async def _expect_gone(pipe: MessagePipe) -> None:
    with pytest.raises(Gone):
        await pipe.receive()
