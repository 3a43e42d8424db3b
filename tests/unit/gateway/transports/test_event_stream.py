"""Event streams over time: keep-alive comments, the end, the client that leaves."""

from __future__ import annotations

import trio
import trio.testing

from gateway import limits
from gateway.transports.backlog import Backlog
from gateway.transports.event_stream import stream_events
from gateway.transports.http import Headers
from tests.unit.gateway.transports.asgi_client import AsgiRequest


async def test_a_silent_stream_is_kept_alive(autojump_clock: trio.testing.MockClock) -> None:
    """A comment every fifteen seconds, and none where something was sent in between."""
    request, backlog = AsgiRequest(), Backlog()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream_events, request.call, backlog)
        await trio.sleep(2 * limits.SSE_KEEPALIVE_S + 1)
        assert request.answer == b": keep-alive\n\n" * 2
        backlog.push(b"data: x\n\n")
        await trio.sleep(limits.SSE_KEEPALIVE_S - 1)
        assert request.answer.endswith(b"data: x\n\n")
        backlog.close()
    assert request.ended


async def test_the_headers_keep_proxies_from_holding_events_back() -> None:
    """No buffering, no caching, and what the caller adds."""
    request, backlog = AsgiRequest(), Backlog()
    backlog.close()
    await stream_events(request.call, backlog, ((b"mcp-session-id", b"s"),))
    assert request.headers == {
        b"content-type": b"text/event-stream",
        b"cache-control": b"no-store",
        b"x-accel-buffering": b"no",
        b"mcp-session-id": b"s",
    }


async def test_what_is_queued_is_written_before_the_end() -> None:
    """Closing the backlog does not cut it."""
    request, backlog = AsgiRequest(), Backlog()
    backlog.push(b"data: last\n\n")
    backlog.close()
    await stream_events(request.call, backlog)
    assert request.answer == b"data: last\n\n"
    assert request.ended


async def test_the_stream_ends_when_the_client_leaves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nothing more is written."""
    request, backlog = AsgiRequest(), Backlog()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream_events, request.call, backlog)
        await trio.testing.wait_all_tasks_blocked()
        request.leave()
    backlog.push(b"data: x\n\n")
    assert request.answer == b""
    assert not request.ended


async def test_after_an_overflow_the_stream_breaks(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An orderly end would make the client believe that nothing is missing."""
    request, backlog = AsgiRequest(), Backlog(max_bytes=1)
    backlog.push(b"too much")
    await stream_events(request.call, backlog)
    assert not request.ended


async def test_cancelled_while_silent(autojump_clock: trio.testing.MockClock) -> None:
    """Nothing hangs on, nothing is lost from the backlog."""
    request, backlog = AsgiRequest(), Backlog()
    with trio.move_on_after(1):
        await stream_events(request.call, backlog)
    backlog.push(b"kept")
    assert await backlog.pull() == b"kept"
    assert not request.ended


class Buffer:
    """A sink that takes a piece at once and then waits, as a socket does."""

    def __init__(self) -> None:
        self.taken = b""

    async def start(self, headers: Headers) -> None:
        """Nothing to do."""

    async def write(self, chunk: bytes) -> None:
        """Takes it."""
        self.taken += chunk
        await trio.lowlevel.checkpoint()

    async def end(self) -> None:
        """Nothing to do."""

    async def disconnected(self) -> None:
        """Never."""
        await trio.sleep_forever()


async def test_an_event_at_the_last_moment_of_a_silence_is_sent_once(
    mock_clock: trio.testing.MockClock,
) -> None:
    """The writer has it in hand when the time for a comment comes."""
    sink, backlog = Buffer(), Backlog()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream_events, sink, backlog)
        await trio.testing.wait_all_tasks_blocked()
        backlog.push(b"data: x\n\n")
        mock_clock.jump(2 * limits.SSE_KEEPALIVE_S)
        await trio.testing.wait_all_tasks_blocked()
        backlog.push(b"data: y\n\n")
        backlog.close()
    # A comment beside them is in order: which of the two tasks goes first is nobody's promise.
    events = sink.taken.replace(b": keep-alive\n\n", b"")
    assert events == b"data: x\n\ndata: y\n\n"
