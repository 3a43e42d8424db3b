"""The answer of a POST in the making: one JSON body, or a stream."""

from __future__ import annotations

import trio
import trio.testing

from gateway.jsonrpc.sse import encode_event
from gateway.transports.backlog import Backlog
from gateway.transports.exchange import Exchange
from gateway.transports.http import Accepted, Reply
from gateway.transports.outlets import Standing

EVENT = b'event: message\ndata: {"n":%d}\n\n'


class Made(Exchange):
    """An exchange whose stream dies with its connection."""

    survives = False

    def _open_stream(self) -> tuple[Standing, Backlog]:
        backlog = Backlog()
        return Standing(backlog, encode_event), backlog


def make(*, json: bool = True, events: bool = True) -> Exchange:
    """One for a client that takes these forms."""
    return Made(Accepted(json=json, events=events, named=frozenset()), patience_s=1)


async def written(exchange: Exchange) -> bytes:
    """What the stream's writer would write, to the end."""
    assert exchange.events is not None
    pieces = [await exchange.events.pull()]
    while pieces[-1]:
        pieces.append(await exchange.events.pull())
    return b"".join(pieces)


def test_an_answer_that_comes_first_is_plain() -> None:
    """One JSON body, and no stream is ever opened."""
    exchange = make()
    exchange.finish(b'{"n":1}')
    assert (exchange.mode, exchange.answer) == ("plain", b'{"n":1}')
    assert exchange.events is None


async def test_a_message_before_the_answer_makes_a_stream() -> None:
    """The answer is its last event."""
    exchange = make()
    exchange.send(b'{"n":1}')
    exchange.finish(b'{"n":2}')
    assert exchange.mode == "stream"
    assert await written(exchange) == EVENT % 1 + EVENT % 2


def test_a_client_without_events_gets_only_the_answer() -> None:
    """What comes before it has nowhere to go."""
    exchange = make(events=False)
    exchange.send(b'{"n":1}')
    assert not exchange.stream()
    exchange.finish(b'{"n":2}')
    assert (exchange.mode, exchange.answer) == ("plain", b'{"n":2}')


async def test_a_client_without_json_gets_the_answer_as_event() -> None:
    """Also when nothing comes before it."""
    exchange = make(json=False)
    exchange.finish(b'{"n":1}')
    assert exchange.mode == "stream"
    assert await written(exchange) == EVENT % 1


async def test_a_cancelled_request_ends_without_an_answer() -> None:
    """In either mode."""
    plain = make()
    plain.finish(None)
    assert (plain.mode, plain.answer) == ("plain", None)
    stream = make(json=False)
    stream.finish(None)
    assert await written(stream) == b""


def test_only_the_first_answer_counts() -> None:
    """A second one would be an answer to nobody."""
    exchange = make()
    exchange.finish(b"1")
    exchange.finish(b"2")
    exchange.send(b"3")
    assert exchange.answer == b"1"
    assert repr(exchange) == "<Exchange plain>"
    assert exchange.reply() == Reply(200, b"1", "application/json")


async def test_its_writer_waits_elsewhere_until_the_first_frame(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whichever comes first; a frame that is there already is not waited for."""
    exchange = make()
    assert not await exchange.decided_or(trio.lowlevel.checkpoint)
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await trio.sleep(1)
            exchange.finish(b"1")

        nursery.start_soon(answer)
        assert await exchange.decided_or(trio.sleep_forever)
    assert trio.current_time() == 1
    assert await exchange.decided_or(trio.sleep_forever)


async def test_cancelled_while_waiting(autojump_clock: trio.testing.MockClock) -> None:
    """The exchange goes on."""
    exchange = make()
    with trio.move_on_after(1) as scope:
        await exchange.decided_or(trio.sleep_forever)
    assert scope.cancelled_caught
    exchange.finish(b"1")
    assert exchange.answer == b"1"


def test_its_carrier_is_told_once_what_it_becomes() -> None:
    """At once where that is known already; never after the client has left."""
    told: list[str] = []
    exchange = make()
    exchange.watch(lambda: told.append(exchange.mode))
    exchange.send(b"1")
    exchange.finish(b"2")
    exchange.watch(lambda: told.append("at once"))
    assert told == ["stream", "at once"]
    late = make()
    late.watch(lambda: told.append("never"))
    late.left()
    late.finish(None)
    assert told == ["stream", "at once"]
    assert late.reply() == Reply(202)


def test_a_stream_whose_client_has_left_is_dropped() -> None:
    """Nothing more piles up for it."""
    exchange = make()
    exchange.send(b"1")
    exchange.left()
    assert exchange.events is not None
    assert exchange.events.closed
