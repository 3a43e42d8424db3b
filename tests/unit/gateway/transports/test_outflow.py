"""What goes out to a client: at once where it can, in order, and no further than the client reads."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.connections import ClientStream
from gateway.transports.outflow import Outflow
from tests.unit.gateway.transports.test_connections import MUCH, Ends


class Pair:
    """Our end and the client's."""

    def __init__(
        self, ours: ClientStream, theirs: trio.SocketStream, nursery: trio.Nursery
    ) -> None:
        self.ours, self.theirs, self.nursery = ours, theirs, nursery
        self.gone = trio.Event()
        self.outflow = Outflow(ours, nursery, gone=self.gone.set)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """A connection on loopback."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        ends = Ends(listener)
        ours, theirs = await ends.pair()
        yield Pair(ours, theirs, nursery)
        ends.cut()
        nursery.cancel_scope.cancel()


async def test_a_small_write_needs_no_task(pair: Pair) -> None:
    """It is with the kernel when `write` returns."""
    pair.outflow.write(b"hello")
    assert pair.outflow.is_clear
    assert not pair.nursery.child_tasks
    assert await pair.theirs.receive_some() == b"hello"


async def test_a_large_write_goes_on_by_itself_and_in_order(pair: Pair) -> None:
    """What comes meanwhile waits behind it; whoever sends waits until it is out."""
    pair.outflow.write(MUCH)
    pair.outflow.write(b"y" * 10)
    assert not pair.outflow.is_clear
    assert "bytes wait" in repr(pair.outflow)
    received = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.outflow.send, b"z")
        while len(received) < len(MUCH) + 11:
            received += await pair.theirs.receive_some()
    assert received.endswith(b"x" + b"y" * 10 + b"z")
    assert pair.outflow.is_clear


async def test_all_who_send_at_a_time_are_let_go(pair: Pair) -> None:
    """A WebSocket's pings are sent beside its messages."""
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.outflow.send, MUCH)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(pair.outflow.send, b"ping")
            nursery.start_soon(pair.outflow.send, b"ping")
            left = len(MUCH) + 8
            while left:
                left -= len(await pair.theirs.receive_some())


@pytest.mark.parametrize("how", ["end", "cut"])
@pytest.mark.parametrize("waiting", [b"", MUCH], ids=["clear", "waiting"])
async def test_it_has_ended_once_nothing_more_is_sent(pair: Pair, waiting: bytes, how: str) -> None:
    """After what waits, or at once where that is dropped."""
    ended: list[bool] = []

    async def wait() -> None:
        await pair.outflow.ended()
        ended.append(pair.outflow.is_clear)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            pair.outflow.write(waiting)
            await trio.testing.wait_all_tasks_blocked()
            assert ended == []
            getattr(pair.outflow, how)()
            await trio.testing.wait_all_tasks_blocked()
            if how == "end" and waiting:
                assert ended == []
                while await pair.theirs.receive_some():
                    pass
        assert ended == [True]
        await pair.outflow.ended()


async def test_its_end_comes_after_what_waits(pair: Pair) -> None:
    """And nothing comes after its end."""
    pair.outflow.write(MUCH)
    pair.outflow.end()
    pair.outflow.end()
    pair.outflow.write(b"late")
    received = 0
    while chunk := await pair.theirs.receive_some():
        received += len(chunk)
    assert received == len(MUCH)
    await pair.theirs.send_all(b"still heard")
    assert await pair.ours.receive_some() == b"still heard"


async def test_an_end_without_anything_waiting(pair: Pair) -> None:
    """At once."""
    pair.outflow.end()
    assert await pair.theirs.receive_some() == b""


async def test_a_client_that_does_not_read_is_cut(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for it is let go."""
    monkeypatch.setattr(limits, "SEND_STALL_S", 0.05)
    with trio.fail_after(5):
        await pair.outflow.send(MUCH)
    assert pair.outflow.broken
    assert repr(pair.outflow) == "<Outflow broken, 0 bytes wait>"
    with pytest.raises(trio.ClosedResourceError):
        await pair.ours.receive_some()


async def test_writing_to_who_is_gone_breaks_it_quietly(pair: Pair) -> None:
    """Whoever brings an answer must not pay for that."""
    await trio.aclose_forcefully(pair.theirs)
    with trio.fail_after(5):
        while not pair.outflow.broken:
            pair.outflow.write(b"x" * 1000)
            await trio.sleep(0.01)
    assert pair.gone.is_set()
    pair.outflow.write(b"more")


async def test_writing_to_what_we_closed(pair: Pair) -> None:
    """The descriptor may be somebody else's by then."""
    pair.ours.abort()
    pair.outflow.write(b"x")
    assert pair.outflow.broken
