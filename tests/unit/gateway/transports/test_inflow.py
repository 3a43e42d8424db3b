"""Reading for all connections from one task: who gets what came, and who is left alone."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.sharing import share
from gateway.transports.inflow import Inflow, Switchboard

MAX = limits.READ_CHUNK_BYTES


@pytest.fixture
async def switchboard() -> AsyncIterator[Switchboard]:
    """One that runs. What comes and is not told of would be waited for in vain: then the test ends."""
    board = Switchboard()
    with trio.fail_after(10):
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


async def test_the_end_is_told_that_came_with_the_last_bytes(switchboard: Switchboard) -> None:
    """Both are one event for the kernel, before anybody waits and while somebody does."""
    with connected(switchboard) as (inflow, client):
        client.send(b"early")
        assert await inflow.receive(MAX) == b"early"
        client.send(b"last")
        client.shutdown(socket.SHUT_WR)
        assert await inflow.receive(MAX) == b"last"
        assert await inflow.receive(MAX) == b""
    with connected(switchboard) as (inflow, client):
        taken: list[bytes] = []

        def take(came: bytes) -> bool:
            taken.append(came)
            return came != b""

        inflow.taker = take
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inflow.receive, MAX)
            await trio.testing.wait_all_tasks_blocked()
            client.send(b"last")
            client.shutdown(socket.SHUT_WR)
        assert taken == [b"last", b""]


async def test_a_taker_gets_all_of_what_came_at_once(switchboard: Switchboard) -> None:
    """In pieces, though the kernel tells of it once."""
    with connected(switchboard) as (inflow, client):
        taken: list[bytes] = []

        def take(came: bytes) -> bool:
            taken.append(came)
            return came != b"."

        inflow.taker = take
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inflow.receive, 2)
            await trio.testing.wait_all_tasks_blocked()
            client.send(b"aabbc")
            await trio.testing.wait_all_tasks_blocked(0.01)
            client.send(b".")
        assert taken == [b"aa", b"bb", b"c", b"."]


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


# --- turns ------------------------------------------------------------------------------------------------------

BUSY = 200
"""Connections of a busy client: more than are read from in one turn of the loop."""


@contextmanager
def crowd(
    board: Switchboard, nursery: trio.Nursery, takes: Callable[[str], None], **clients: int
) -> Iterator[dict[str, list[socket.socket]]]:
    """Clients with so many connections each, all of them served by `takes`; their sockets."""
    with ExitStack() as stack:
        sockets: dict[str, list[socket.socket]] = {}
        for client, count in clients.items():
            for _ in range(count):
                inflow, theirs = stack.enter_context(connected(board))
                inflow.client = client
                inflow.taker = lambda _, client=client: takes(client) is None
                nursery.start_soon(_receive_nothing, inflow)
                sockets.setdefault(client, []).append(theirs)
        yield sockets
    nursery.cancel_scope.cancel()


async def _receive_nothing(inflow: Inflow) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await inflow.receive(MAX)


async def test_a_polite_client_is_read_from_before_more_than_a_share_of_a_busy_one() -> None:
    """Whenever it calls, and however many connections of the busy client have something: those of the turn, and one more."""
    board, turn = Switchboard(), share(limits.READS_PER_TURN)
    served: list[str] = []
    waits: list[int] = []
    sockets: dict[str, list[socket.socket]] = {}

    def take(client: str) -> None:
        served.append(client)
        if client == "polite":
            waits.append(len(served) - waits.pop() - 1)
        elif served.count("busy") % 23 == 22:
            # In the middle of a turn, at another place of it each time.
            waits.append(len(served))
            sockets["polite"][0].send(b"x")

    async with trio.open_nursery() as nursery:
        with crowd(board, nursery, take, busy=BUSY, polite=1, other=1) as sockets:
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(board.run)
            # Nobody is alone from now on.
            for client in ("polite", "other"):
                waits.append(0)
                sockets[client][0].send(b"x")
                await trio.testing.wait_all_tasks_blocked(0.01)
            served.clear()
            waits.clear()
            for theirs in sockets["busy"]:
                theirs.send(b"x")
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert served.count("busy") == BUSY
    assert len(waits) == BUSY // 23
    assert max(waits) <= turn + 1


@pytest.mark.parametrize("others", [0, 1])
async def test_a_turn_has_a_share_for_a_busy_client_and_all_for_one_that_is_alone(
    others: int,
) -> None:
    """The rest comes next time."""
    board, bound = Switchboard(), limits.READS_PER_TURN
    served: list[str] = []
    turns: list[int] = []
    async with trio.open_nursery() as nursery:
        with crowd(board, nursery, served.append, busy=BUSY, other=1) as sockets:
            nursery.start_soon(board.run)
            await trio.testing.wait_all_tasks_blocked(0.01)
            for theirs in (sockets["busy"][0], *sockets["other"][:others]):
                theirs.send(b"x")
                await trio.testing.wait_all_tasks_blocked(0.01)
            served.clear()
            for theirs in sockets["busy"]:
                theirs.send(b"x")
            while len(served) < BUSY:
                before = len(served)
                await trio.lowlevel.checkpoint()
                turns.append(len(served) - before)
    # Between two turns of this task the board has one, or the end of one and the beginning of the next.
    assert (share(bound) if others else bound) in turns
    assert max(turns) <= 2 * (share(bound) if others else bound)


async def test_who_is_closed_while_it_waits_for_its_turn_is_passed_over() -> None:
    """Its descriptor may be somebody else's by then."""
    board = Switchboard()
    served: list[str] = []
    doomed: list[Inflow] = []

    def take(client: str) -> None:
        served.append(client)
        if doomed:
            doomed.pop().close()

    async with trio.open_nursery() as nursery:
        with crowd(board, nursery, take, busy=BUSY) as sockets, connected(board) as (last, other):
            last.client = "other"
            last.taker = lambda _: served.append("other") is None
            nursery.start_soon(_receive_nothing, last)
            await trio.testing.wait_all_tasks_blocked()
            for theirs in (*sockets["busy"], other):
                theirs.send(b"x")
            doomed.append(last)
            nursery.start_soon(board.run)
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert served == ["busy"] * BUSY


async def test_who_does_not_say_who_it_is_is_a_client_of_its_own(switchboard: Switchboard) -> None:
    """From its second message on: many begin with one that does not say it."""
    with connected(switchboard) as (inflow, client):
        assert inflow.client is None
        client.send(b"x")
        await inflow.receive(MAX)
        assert inflow.client == inflow.descriptor
