"""Accepted connections: their number, the client that does not read, the end of all at once."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.connections import (
    BoundedListener,
    ClientStream,
    ConnectionPool,
    watch_peers,
)

MUCH = b"x" * (32 * limits.MIB)  # more than the kernel's buffers take


class Ends:
    """A listener with its pool, and clients for it."""

    def __init__(self, listener: trio.SocketListener, max_connections: int = 2) -> None:
        self.pool = ConnectionPool(max_connections)
        self.listener = BoundedListener(listener, self.pool)
        self._port: int = listener.socket.getsockname()[1]
        self._clients: list[trio.SocketStream] = []

    async def pair(self) -> tuple[ClientStream, trio.SocketStream]:
        """Our end and the client's end of one connection."""
        client = await self.connect()
        return await self.listener.accept(), client

    async def connect(self) -> trio.SocketStream:
        """A client that the kernel has taken on."""
        client = await trio.open_tcp_stream("127.0.0.1", self._port)
        self._clients.append(client)
        return client

    def cut(self) -> None:
        """Closes both ends of everything."""
        self.pool.abort()
        for client in self._clients:
            client.socket.close()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """A listener on loopback; what it accepted is cut at the end."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        ends = Ends(listener)
        yield ends
        ends.cut()


async def test_bytes_go_both_ways(ends: Ends) -> None:
    """As on any stream, with the end of either direction."""
    ours, theirs = await ends.pair()
    async with ours, theirs:
        await ours.send_all(b"hello")
        await ours.wait_send_all_might_not_block()
        assert await theirs.receive_some() == b"hello"
        await ours.send_eof()
        assert await theirs.receive_some() == b""
        await theirs.send_all(b"bye")
        assert await ours.receive_some(2) == b"by"


async def test_large_writes_arrive_whole(ends: Ends) -> None:
    """A reader that is slow but reads is waited for."""
    ours, theirs = await ends.pair()
    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, MUCH)
        left = len(MUCH)
        while left:
            left -= len(await theirs.receive_some(limits.MIB))


@pytest.mark.refuses("to_clients.SEND_STALL_S")
async def test_a_client_that_does_not_read_is_cut(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also inside a shield, where the HTTP server writes."""
    monkeypatch.setattr(limits, "SEND_STALL_S", 0.05)
    ours, theirs = await ends.pair()
    async with theirs:
        with (
            trio.CancelScope(shield=True),
            pytest.raises(trio.BrokenResourceError, match="read nothing"),
        ):
            await ours.send_all(MUCH)
        await ends.pool.wait_empty()


async def test_writing_to_who_is_gone_is_an_error(ends: Ends) -> None:
    """Trio's own, so that the HTTP server understands it."""
    ours, theirs = await ends.pair()
    await trio.aclose_forcefully(theirs)
    async with ours:
        with pytest.raises(trio.BrokenResourceError):
            await ours.send_all(MUCH)


async def test_writing_to_what_we_closed_is_an_error(ends: Ends) -> None:
    """Before, and in the middle."""
    ours, theirs = await ends.pair()
    async with theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_is_cut, ours)
            await trio.testing.wait_all_tasks_blocked()
            ends.pool.abort()
        with pytest.raises(trio.ClosedResourceError):
            await ours.send_all(b"x")


async def _is_cut(ours: ClientStream) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await ours.send_all(MUCH)


@pytest.mark.refuses("from_clients.MAX_CONNECTIONS")
async def test_past_the_bound_accept_waits(
    ends: Ends,
) -> None:
    """Until one connection is closed."""
    first, _ = await ends.pair()
    await ends.pair()
    await ends.connect()
    accepted: list[ClientStream] = []

    async def accept() -> None:
        accepted.append(await ends.listener.accept())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        assert accepted == []
        await first.aclose()
    assert len(accepted) == 1
    assert repr(ends.pool) == "<ConnectionPool 2 open>"


async def test_a_connection_is_accepted_in_one_turn_of_the_loop(
    ends: Ends, nursery: trio.Nursery
) -> None:
    """With many at work a turn is long, and whoever is new waits for those that are new as well."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    for _ in range(2):
        await ends.connect()
    nursery.start_soon(count)
    await trio.lowlevel.checkpoint()
    before = turns
    for _ in range(2):
        await ends.listener.accept()
    assert turns - before <= 2


async def test_a_cancelled_accept_keeps_its_slot(ends: Ends) -> None:
    """Cancelled while it waits for a client: both slots can still be used."""
    for _ in range(5):
        with trio.move_on_after(0):
            await ends.listener.accept()
    await ends.pair()
    with trio.fail_after(1):
        await ends.pair()


async def test_closing_twice_frees_one_slot(ends: Ends) -> None:
    """The HTTP server closes in several places."""
    ours, _ = await ends.pair()
    await ours.aclose()
    await ours.aclose()
    ours.abort()
    await ends.pool.wait_empty()
    assert ends.pool._slots.value == 2


async def test_wait_empty_waits_for_the_last(ends: Ends) -> None:
    """Draining ends with the last connection."""
    first, _ = await ends.pair()
    second, _ = await ends.pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends.pool.wait_empty)
        await first.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        await second.aclose()


async def test_what_a_client_has_not_taken_is_waited_for(ends: Ends) -> None:
    """Its machine confirms what it takes; what does not fit there waits in ours."""
    ours, theirs = await ends.pair()
    with trio.fail_after(5):
        await ends.pool.wait_taken()
        sent = 0
        while more := ours.send_nowait(MUCH):
            sent += more
            await trio.sleep(0.02)
        assert 0 < ours.untaken_bytes <= sent
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.pool.wait_taken)
            await trio.sleep(0.1)
            assert nursery.child_tasks
            while sent:
                sent -= len(await theirs.receive_some(limits.MIB))
    assert ours.untaken_bytes == 0


def test_peers_are_watched_by_the_kernel() -> None:
    """Where it can; a socket it cannot be set on is left as it is."""
    with socket.socket() as tcp:
        watch_peers(tcp)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            value = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert value == limits.SEND_STALL_S * 1000
    with socket.socket(socket.AF_UNIX) as unix:
        watch_peers(unix)
