"""One connection from its first byte to its last: how long it may last, and what ends it."""

from __future__ import annotations

import socket
import struct

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.head_check import CheckedHead
from gateway.transports.line import Line
from tests.unit.gateway.transports.serving import Site, serving
from tests.unit.gateway.transports.test_connections import MUCH
from tests.unit.gateway.transports.test_listen import (
    GET_HEALTH,
    READY,
    post,
    read_all,
    read_until,
)

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


async def closed(stream: trio.SocketStream) -> bytes:
    """What still comes until the server closes, which it has to do soon."""
    with trio.fail_after(3):
        return await read_until(stream, b"never")


async def test_an_idle_connection_is_closed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never asked, and one that was answered; by whomever."""
    monkeypatch.setattr(limits, "KEEP_ALIVE_S", 0.05)
    async with site.connect():
        for message, end in ((b"", b""), (GET_HEALTH, READY), (post(site, PING), b"{}}")):
            async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
                await stream.send_all(message)
                assert (await closed(stream)).endswith(end)


async def drip(stream: trio.SocketStream) -> None:
    """A byte now and then, for ever."""
    while True:
        await trio.sleep(0.05)
        await stream.send_all(b"x")


@pytest.mark.refuses("from_clients.HEAD_TIMEOUT_S")
@pytest.mark.parametrize("message", [GET_HEALTH[:-3], b"G"])
async def test_a_head_that_never_ends_is_cut(
    site: Site, monkeypatch: pytest.MonkeyPatch, message: bytes
) -> None:
    """However often a byte of it comes: thousands of such connections cost nothing to hold."""
    monkeypatch.setattr(limits, "HEAD_TIMEOUT_S", 0.2)
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(message)
        with trio.fail_after(3), pytest.raises(trio.BrokenResourceError):
            await drip(stream)


@pytest.mark.slow
async def test_a_call_that_takes_longer_than_a_head_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The times of heads and of idleness are not those of answers."""
    # On a busy machine it takes a while until the request is there.
    monkeypatch.setattr(limits, "HEAD_TIMEOUT_S", 0.5)
    monkeypatch.setattr(limits, "KEEP_ALIVE_S", 0.5)
    monkeypatch.setattr(limits, "CONNECTION_SWEEP_S", 0.01)
    async with site.connect(), await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        message = post(site, b'{"jsonrpc":"2.0","id":1,"method":"later"}')
        await stream.send_all(message[:30])
        await trio.sleep(0.01)
        await stream.send_all(message[30:])
        await site.last.has_waiting.wait()
        await trio.sleep(0.7)
        site.last.answer()
        assert b'"result":{}' in await read_until(stream, b"{}}")


@pytest.mark.parametrize("size", [1, 7])
async def test_requests_byte_by_byte(site: Site, size: int) -> None:
    """The head, the body and the end of it."""
    async with site.connect(), await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        message = post(site, PING)
        for start in range(0, len(message), size):
            await stream.send_all(message[start : start + size])
            await trio.testing.wait_all_tasks_blocked()
        assert b'"result":{}' in await read_until(stream, b"{}}")


async def test_what_is_refused_as_http_can_be_read(site: Site) -> None:
    """However much comes after it: the connection is not reset before its client has the answer."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(GET_HEALTH.replace(b"Host", b"Host: a\r\nHost") + b"x" * 200_000)
        answer = await read_until(stream, b"}}")
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"connection: close" in answer
        await stream.send_eof()
        assert await closed(stream) == b""


async def test_a_client_that_resets_its_connection_at_once_is_no_fault_of_ours(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its request is there, and nobody who has sent it: the log does not complain."""
    left = trio.Event()
    more = Line.head

    async def late(line: Line) -> CheckedHead | None:
        head = await more(line)
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        left.set()
        return head

    async with site.connect():
        monkeypatch.setattr(Line, "head", late)
        stream = await trio.open_tcp_stream("127.0.0.1", site.port)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.send_all(GET_HEALTH)
        with trio.fail_after(5):
            await left.wait()
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert "connection_failed" not in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("ending", [b"close", b"keep-alive"])
@pytest.mark.parametrize("fast_lane", [True, False])
async def test_a_client_that_reads_slowly_gets_all_of_its_answer(
    monkeypatch: pytest.MonkeyPatch,
    fast_lane: bool,  # noqa: FBT001 -- a table
    ending: bytes,
) -> None:
    """The times that a connection may be unused for do not begin before that."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"t":"%b"}}' % (b"x" * len(MUCH))
    async with serving(Site(fast_lane=fast_lane)) as site, site.connect():
        message = post(site, body).replace(b"Host", b"Connection: %b\r\nHost" % ending, 1)
        for name in ("LINGER_S", "KEEP_ALIVE_S", "CONNECTION_SWEEP_S"):
            monkeypatch.setattr(limits, name, 0.1)
        stream = await trio.open_tcp_stream("127.0.0.1", site.port)
        await stream.send_all(message)
        await trio.sleep(0.5)
        async with stream:
            with trio.fail_after(5):
                assert (await read_all(stream)).endswith(b'"}}')


@pytest.mark.parametrize("fast_lane", [True, False])
async def test_stopping_ends_each_connection_in_its_time(fast_lane: bool) -> None:  # noqa: FBT001 -- a table
    """Idle ones, and those with half a head, at once; the others with their answer."""
    site = Site(fast_lane=fast_lane)
    async with (
        serving(site),
        site.connect(),
        await trio.open_tcp_stream("127.0.0.1", site.port) as half,
        await trio.open_tcp_stream("127.0.0.1", site.port) as busy,
        await trio.open_tcp_stream("127.0.0.1", site.port) as idle,
    ):
        await half.send_all(GET_HEALTH[:-3])
        await busy.send_all(post(site, b'{"jsonrpc":"2.0","id":1,"method":"later"}'))
        await idle.send_all(post(site, PING) + GET_HEALTH)
        await read_until(idle, READY)
        await idle.send_all(post(site, PING))
        await read_until(idle, b"{}}")
        await site.last.has_waiting.wait()
        await trio.testing.wait_all_tasks_blocked(0.01)
        site.stop.set()
        assert await closed(idle) == await closed(half) == b""
        site.last.answer()
        answer = await closed(busy)
        assert answer.endswith(b'"result":{}}')
        assert (b"connection: close" in answer) is fast_lane
