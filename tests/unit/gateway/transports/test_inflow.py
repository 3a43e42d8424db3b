"""Reading for all connections from one task: who gets what came, and who is left alone."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.inflow import Inflow, Switchboard

MAX = limits.READ_CHUNK_BYTES


@pytest.fixture
async def switchboard() -> AsyncIterator[Switchboard]:
    """One that runs."""
    board = Switchboard()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(board.run)
        yield board
        nursery.cancel_scope.cancel()


@contextmanager
def connected(board: Switchboard) -> Iterator[tuple[Inflow, socket.socket]]:
    """An inflow, and the client's socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        inflow = Inflow(board, ours.fileno())
        try:
            yield inflow, theirs
        finally:
            inflow.close()


async def test_who_receives_gets_what_comes_and_the_end(switchboard: Switchboard) -> None:
    """In pieces no longer than were asked for; nothing is lost between two."""
    with connected(switchboard) as (inflow, client):
        client.send(b"hello")
        assert await inflow.receive(2) == b"he"
        assert await inflow.receive(MAX) == b"llo"
        client.close()
        assert await inflow.receive(MAX) == b""
        assert await inflow.receive(MAX) == b""


async def test_a_taker_is_asked_first_and_need_not_wake_anybody(switchboard: Switchboard) -> None:
    """What it does not take goes to who receives."""
    taken: list[bytes] = []

    def take(came: bytes) -> bool:
        if came != b"mine":
            return False
        taken.append(came)
        return True

    with connected(switchboard) as (inflow, client):
        inflow.taker = take
        received: list[bytes] = []

        async def receive() -> None:
            received.append(await inflow.receive(MAX))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            for _ in range(3):
                client.send(b"mine")
                await trio.sleep(0.01)
                assert received == []
            client.send(b"other")
        assert taken == [b"mine"] * 3
        assert received == [b"other"]


async def test_what_nobody_wants_waits_in_the_kernel(switchboard: Switchboard) -> None:
    """The board does not turn for it, and it is there when somebody wants it."""
    with connected(switchboard) as (inflow, client):
        assert repr(inflow).endswith("at rest>")
        client.send(b"a")
        assert await inflow.receive(MAX) == b"a"
        assert repr(switchboard) == "<Switchboard of 1>"
        client.send(b"b")
        with trio.fail_after(1):
            # It would never come to this if the board went on turning.
            await trio.testing.wait_all_tasks_blocked(0.01)
        assert repr(switchboard) == "<Switchboard of 0>"
        assert await inflow.receive(MAX) == b"b"


async def test_a_cancelled_receiver_loses_nothing(switchboard: Switchboard) -> None:
    """What comes afterwards is for the next one."""
    with connected(switchboard) as (inflow, client):
        with trio.move_on_after(0.01):
            await inflow.receive(MAX)
        client.send(b"later")
        assert await inflow.receive(MAX) == b"later"


async def test_closing_tells_who_receives(switchboard: Switchboard) -> None:
    """And everybody after it."""
    with connected(switchboard) as (inflow, _):
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await inflow.receive(MAX)

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            assert repr(inflow).endswith("awaited>")
            inflow.close()
        with pytest.raises(trio.ClosedResourceError):
            await inflow.receive(MAX)
        assert repr(inflow).endswith("closed>")
        assert repr(switchboard) == "<Switchboard of 0>"


async def test_a_broken_connection_is_told() -> None:
    """A reset is no end."""
    board = Switchboard()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(board.run)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = socket.create_connection(listening.getsockname())
            ours, _ = listening.accept()
        with ours:
            ours.setblocking(False)
            inflow = Inflow(board, ours.fileno())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            for _ in range(2):
                with pytest.raises(trio.BrokenResourceError, match="the client is gone"):
                    await inflow.receive(MAX)
            inflow.close()
        nursery.cancel_scope.cancel()


async def test_a_taker_that_fails_costs_its_connection_only(
    switchboard: Switchboard, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are served; it is logged."""
    with connected(switchboard) as (bad, client), connected(switchboard) as (good, other):

        def fail(_: bytes) -> bool:
            raise ZeroDivisionError

        bad.taker = fail
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await bad.receive(MAX)

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            client.send(b"x")
        other.send(b"y")
        assert await good.receive(MAX) == b"y"
    assert "request_failed" in caplog.text


async def test_a_board_that_has_ended_leaves_inflows_closable() -> None:
    """Connections are closed after it when all ends at once."""
    board = Switchboard()
    with connected(board) as (inflow, _):
        with trio.move_on_after(0.01):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(board.run)
                nursery.start_soon(inflow.receive, MAX)
        inflow.close()
    assert repr(board) == "<Switchboard of 0>"
