"""Answers of the lane that take longer than a function call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from gateway.transports.deadlines import Deadline, Sweeper
from gateway.transports.http import CLOSE, Reply
from gateway.transports.lane_call import LaneCall, write_reply
from gateway.transports.line import Line
from gateway.transports.request_head import RequestHead
from tests.unit.gateway.transports.test_connections import Ends
from tests.unit.gateway.transports.test_http_writing import read
from tests.unit.gateway.transports.test_line import Pair

HEAD = RequestHead("GET", "/sse", b"", {}, "http")


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


async def test_a_stream(pair: Pair) -> None:
    """It is whole once it has its end; the last one of a connection says so."""
    call = LaneCall(HEAD, pair.line)
    pair.line.ends = True
    await call.start(((b"x", b"y"),))
    await call.write(b"data: 1\n\n")
    assert (call.started, call.is_whole) == (True, False)
    await call.end()
    assert call.is_whole
    status, headers, body = read(bytes(await pair.client.receive_some()))
    assert (status, body) == (200, b"data: 1\n\n")
    assert (headers["x"], headers["connection"]) == ("y", "close")


async def test_a_whole_answer(pair: Pair) -> None:
    """Nothing is left to be done."""
    call = LaneCall(HEAD, pair.line)
    await call.respond(Reply(404, b"no", "text/plain"))
    assert (call.started, call.is_whole) == (True, True)
    assert read(bytes(await pair.client.receive_some()))[0] == 404


async def test_a_reply_may_end_the_connection(pair: Pair) -> None:
    """The line is told."""
    write_reply(pair.line, HEAD, Reply(413, headers=CLOSE))
    assert pair.line.ends
    assert b"connection: close" in await pair.client.receive_some()


async def test_it_knows_when_its_client_has_left(pair: Pair) -> None:
    """From whoever reads the line."""
    call = LaneCall(HEAD, pair.line)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.disconnected)
        await pair.client.send_eof()
        assert not await pair.line.more()
