"""What an exchange becomes is carried to its client, over any call."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gateway.jsonrpc.sse import encode_event
from gateway.transports.answering import answer
from gateway.transports.backlog import Backlog
from gateway.transports.exchange import Exchange
from gateway.transports.http import Accepted, Reply
from gateway.transports.outlets import Standing
from tests.unit.gateway.transports.asgi_client import AsgiRequest


class Made(Exchange):
    """An exchange of either kind, which takes note of its client's leaving."""

    survives = False

    def __init__(self, *, events: bool = True) -> None:
        self.has_left = trio.Event()
        super().__init__(Accepted(json=True, events=events, named=frozenset()), patience_s=10)

    def left(self) -> None:
        """Takes note."""
        super().left()
        self.has_left.set()

    def _open_stream(self) -> tuple[Standing, Backlog]:
        backlog = Backlog()
        return Standing(backlog, encode_event), backlog


class Surviving(Made):
    """One that goes on without its client."""

    survives = True


async def test_a_reply_is_sent_as_it_is() -> None:
    """There is nothing to wait for."""
    request = AsgiRequest("POST")
    await answer(request.call, Reply(202))
    assert request.status == 202


async def test_patience_makes_a_stream(autojump_clock: trio.testing.MockClock) -> None:
    """Where the client takes one."""
    for events, kind in ((True, b"text/event-stream"), (False, b"application/json")):
        request, exchange = AsgiRequest("POST"), Made(events=events)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, request.call, exchange)
            await trio.sleep(11)
            exchange.finish(b"{}")
        assert request.headers[b"content-type"] == kind
        assert exchange.has_left.is_set()


async def test_a_client_that_leaves_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """Nothing is sent."""
    request, exchange = AsgiRequest("POST"), Made()
    request.leave()
    await answer(request.call, exchange)
    assert exchange.has_left.is_set()
    assert request.sent == []


async def test_some_go_on_without_their_client(autojump_clock: trio.testing.MockClock) -> None:
    """It may have ended its own direction only, and still read."""
    request, exchange = AsgiRequest("POST"), Surviving(events=False)
    request.leave()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, request.call, exchange)
        await trio.sleep(60)
        exchange.finish(b"{}")
    assert request.answer == b"{}"


@pytest.mark.parametrize("seconds", [1, 20])
async def test_cancelled_while_it_waits(
    autojump_clock: trio.testing.MockClock, seconds: float
) -> None:
    """As if the client had left, whether it is a stream by then or not."""
    request, exchange = AsgiRequest("POST"), Made()
    with trio.move_on_after(seconds):
        await answer(request.call, exchange)
    assert exchange.has_left.is_set()
