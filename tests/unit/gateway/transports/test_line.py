"""A connection as those see it who serve its requests: heads, bodies, what was sent ahead, how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.deadlines import Deadline, Sweeper
from gateway.transports.http import ClientLeft, Refused
from gateway.transports.line import Line
from tests.unit.gateway.transports.test_connections import Ends

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
CHUNKED = HEAD.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked")


class Pair:
    """A line, and its client."""

    def __init__(self, line: Line, client: trio.SocketStream) -> None:
        self.line, self.client = line, client
        self.cut: list[str] = []

    async def body(self, head: bytes, *pieces: bytes, max_bytes: int = 100) -> bytes:
        """Sends a head and what follows; reads both."""
        await self.client.send_all(head)
        checked = await self.line.head()
        assert checked is not None
        assert self.line.whole_body(checked) is None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, pieces)
            return await self.line.body(
                checked, max_bytes, stalled=lambda: self.cut.append("stall")
            )

    async def _send(self, pieces: tuple[bytes, ...]) -> None:
        for piece in pieces:
            await trio.testing.wait_all_tasks_blocked()
            await self.client.send_all(piece)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Over loopback."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        ends = Ends(listener)
        ours, theirs = await ends.pair()
        yield Pair(Line(ours, nursery, Deadline(Sweeper())), theirs)
        ends.cut()
        nursery.cancel_scope.cancel()


async def test_requests_sent_at_once_are_read_one_by_one(pair: Pair) -> None:
    """What was sent ahead is held; the same head again is not read again."""
    await pair.client.send_all((HEAD + b"abc") * 2 + HEAD[:10])
    first = await pair.line.head()
    assert first is not None
    assert pair.line.whole_body(first) == b"abc"
    second = await pair.line.head()
    assert second is first
    assert pair.line.whole_body(second) == b"abc"
    assert pair.line.held == HEAD[:10]
    assert repr(pair.line) == "<Line 10 bytes held, <Outflow open, 0 bytes wait>>"
    await pair.client.send_eof()
    assert await pair.line.head() is None
    assert pair.line.gone.is_set()


async def test_bodies_in_pieces(pair: Pair) -> None:
    """Of known length and in chunks; what follows is kept."""
    assert await pair.body(HEAD, b"a", b"bc" + CHUNKED[:5]) == b"abc"
    pair.line.held = b""
    assert await pair.body(CHUNKED, b"2\r\na", b"b\r\n0\r\n", b"\r\nnext") == b"ab"
    assert pair.line.held == b"next"


@pytest.mark.refuses("from_clients.MAX_FRAME_BYTES")
async def test_a_body_that_is_too_long_is_refused(pair: Pair) -> None:
    """As soon as that is seen."""
    await pair.client.send_all(CHUNKED + b"5\r\nabcde\r\n")
    checked = await pair.line.head()
    assert checked is not None
    with pytest.raises(Refused) as refused:
        await pair.line.body(checked, 4, stalled=lambda: None)
    assert refused.value.http_status == 413


async def test_a_client_that_leaves_in_its_body(pair: Pair) -> None:
    """There is nobody to answer."""
    await pair.client.send_all(HEAD + b"a")
    await pair.client.send_eof()
    checked = await pair.line.head()
    assert checked is not None
    with pytest.raises(ClientLeft):
        await pair.line.body(checked, 4, stalled=lambda: None)


@pytest.mark.parametrize(("rest", "ends"), [(b"bc", False), (b"", False)])
async def test_a_body_can_be_skipped(pair: Pair, rest: bytes, ends: bool) -> None:  # noqa: FBT001 -- a table
    """To its end, or the client's."""
    await pair.client.send_all(HEAD + b"a" + rest + b"next" * bool(rest))
    if not rest:
        await pair.client.send_eof()
    checked = await pair.line.head()
    assert checked is not None
    await pair.line.skip(checked)
    assert pair.line.held == b"next" * bool(rest)
    assert pair.line.ends is ends


async def test_after_what_is_no_body_the_connection_ends(pair: Pair) -> None:
    """Nobody knows where the next request would begin."""
    await pair.client.send_all(CHUNKED + b"x\r\n")
    checked = await pair.line.head()
    assert checked is not None
    await pair.line.skip(checked)
    assert pair.line.ends


async def test_it_ends_at_once_unless_a_request_is_under_way(pair: Pair) -> None:
    """Then with the answer."""
    pair.line.begin()
    pair.line.finish()
    pair.line.outflow.write(b"answer")
    pair.line.rest()
    assert await pair.client.receive_some() == b"answer"
    assert await pair.client.receive_some() == b""
    pair.line.finish()
    assert not await pair.line.more()


async def test_lingering_ends_with_the_client(pair: Pair) -> None:
    """What comes is thrown away."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.line.linger)
        await pair.client.send_all(b"x" * limits.READ_CHUNK_BYTES)
        await pair.client.send_eof()
    assert pair.line.held == b""
