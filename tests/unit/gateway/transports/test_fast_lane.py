"""The short way of a POST over a real socket: what it promises beyond the answers, which are compared elsewhere."""

from __future__ import annotations

import gc
import os
import weakref
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.errors import Unauthorized
from gateway.sharing import share
from gateway.transports.fast_lane import FastLane
from gateway.transports.front import Serving
from gateway.transports.line import Line
from tests.unit.gateway.transports.serving import EventStream, Site, request
from tests.unit.gateway.transports.test_listen import post, read_until
from tests.unit.gateway.transports.test_stateless_http import META, VERSION

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
LATER = b'{"jsonrpc":"2.0","id":1,"method":"later"}'


@pytest.fixture
def hypercorn_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test where hypercorn is asked for anything."""

    async def fail(*_: object) -> None:
        raise AssertionError("this is for the lane")

    monkeypatch.setattr("hypercorn.protocol.h11.H11Protocol.handle", fail)


async def connect(site: Site) -> trio.SocketStream:
    """A connection of its own."""
    return await trio.open_tcp_stream("127.0.0.1", site.port)


@pytest.mark.usefixtures("hypercorn_is_idle")
async def test_posts_are_served_without_hypercorn(lane: Site) -> None:
    """Both eras, the handshake, notifications, streams and refusals."""
    async with lane.connect() as client:
        assert (await client.post("/mcp", json=request("ping"))).status_code == 200
        assert "data: {" in (await client.post("/mcp", json=request("chatty"))).text
        note = {"jsonrpc": "2.0", "method": "notifications/x"}
        assert (await client.post("/mcp", json=note)).status_code == 202
        assert (await client.post("/sse", json=note)).status_code == 400
        modern = {**request("ping"), "params": {"_meta": META}}
        headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "ping"}
        assert (await client.post("/mcp", json=modern, headers=headers)).status_code == 200


@pytest.mark.usefixtures("hypercorn_is_idle")
async def test_event_streams_are_served_without_hypercorn(lane: Site) -> None:
    """Both kinds, their refusals, and the end of a session; the connection goes on after it."""
    async with lane.connect() as client:
        session = {"Mcp-Session-Id": client.headers["Mcp-Session-Id"]}
        refused = await client.get(
            "/mcp", headers={"Accept": "text/event-stream", **session, "Mcp-Session-Id": "x"}
        )
        assert refused.status_code == 404
        async with lane.listen("/mcp", Accept="text/event-stream", **session) as stream:
            assert stream.headers["x-accel-buffering"] == "no"
            lane.last.notify()
            assert "list_changed" in (await stream.event())[1]
            lane.last.close()
            assert await stream.event() == ("", "")
            await stream.stream.send_all(post(lane, PING))
            assert (await read_until(stream.stream, b"}}")).startswith(b"HTTP/1.1 404")
    async with lane.listen("/sse", Accept="text/event-stream") as stream:
        assert (await stream.event())[0] == "endpoint"
        session = lane.last
    with trio.fail_after(2):
        await session.was_closed.wait()


async def test_lane_and_hypercorn_take_turns_on_one_connection(lane: Site) -> None:
    """In order, also where all is sent at once."""
    async with lane.connect(), await connect(lane) as stream:
        get = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        await stream.send_all((post(lane, PING) + get) * 3)
        answer = b""
        while answer.count(b"\r\n\r\n") < 6 or not answer.endswith(b"\n"):
            answer += await stream.receive_some()
        order = [b'"result"' in part for part in answer.split(b"HTTP/1.1 200")[1:]]
        assert order == [True, False] * 3


async def test_an_answer_reaches_a_client_that_has_ended_its_own_direction(lane: Site) -> None:
    """`nc -N` does so: it is not a cancel, and the answer can still be read."""
    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, LATER))
        await stream.send_eof()
        await lane.last.has_waiting.wait()
        await trio.testing.wait_all_tasks_blocked(0.01)
        lane.last.answer()
        assert (await read_until(stream, b"never")).endswith(b'"result":{}}')


async def test_a_stream_ends_with_a_client_that_has_sent_ahead(
    lane: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read from while the stream lasts: that it is gone shows when it is written to."""
    monkeypatch.setattr(limits, "SSE_KEEPALIVE_S", 0.05)
    async with lane.listen("/sse", Accept="text/event-stream") as stream:
        await stream.event()
        await stream.stream.send_all(b"P")
        await trio.testing.wait_all_tasks_blocked(0.01)
    with trio.fail_after(2):
        await lane.last.was_closed.wait()


async def test_a_connection_at_rest_does_not_keep_its_last_answer(lane: Site) -> None:
    """Which may be large, and the next request a minute away."""
    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, LATER))
        await lane.last.has_waiting.wait()
        exchange = weakref.ref(lane.last.waiting[0][1])
        lane.last.answer()
        assert b'"result":{}' in await read_until(stream, b"{}}")
        gc.collect()
        assert exchange() is None


async def test_a_connection_at_rest_does_not_keep_its_last_request(
    lane: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose body may be as large, and came in pieces then."""
    forgotten = trio.Event()
    body = Line.body

    class Body(bytes):
        def __del__(self) -> None:
            forgotten.set()

    async def watched(line: Line, *args: Any, **more: Any) -> bytes:
        return Body(await body(line, *args, **more))

    monkeypatch.setattr(Line, "body", watched)
    async with lane.connect(), await connect(lane) as stream:
        head, _, content = post(lane, LATER).partition(b"\r\n\r\n")
        for piece in (head + b"\r\n\r\n" + content[:5], content[5:]):
            await stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked(0.01)
        lane.last.answer()
        assert b'"result":{}' in await read_until(stream, b"{}}")
        lane.last.received.clear()
        gc.collect()
        assert forgotten.is_set()


async def test_a_large_answer_to_a_slow_reader_holds_up_nobody(lane: Site) -> None:
    """And what it asks next is not even read before it has taken that."""
    async with lane.connect() as client, await connect(lane) as slow:
        await slow.send_all(post(lane, LATER) + post(lane, PING))
        await lane.last.has_waiting.wait()
        seen = len(lane.last.received)
        lane.last.waiting.pop()[1].finish(b'"' + b"x" * (32 * limits.MIB) + b'"')
        for _ in range(5):
            assert (await client.post("/mcp", json=request("ping"))).status_code == 200
        assert len(lane.last.received) == seen + 5
        answer = await read_until(slow, b'"result":{}')
        assert len(answer) > 32 * limits.MIB


async def test_a_slow_answer_becomes_a_stream(lane: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept alive while it is silent."""
    monkeypatch.setattr(limits, "SSE_KEEPALIVE_S", 0.05)
    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, LATER))
        assert b"text/event-stream" in await read_until(stream, b"\r\n\r\n")
        await read_until(stream, b": keep-alive")
        lane.last.answer()
        assert b'"result":{}' in await read_until(stream, b"0\r\n\r\n")
        await stream.send_all(post(lane, PING))
        assert b'"result":{}' in await read_until(stream, b'"result":{}')


async def test_a_stream_whose_client_does_not_read_is_cut(
    lane: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not sent can be fetched; the connection is no longer held."""
    monkeypatch.setattr(limits, "SEND_STALL_S", 0.05)
    body = b'{"jsonrpc":"2.0","id":1,"method":"ask"}'
    headers = {"Mcp-Session-Id": "session-1"}
    async with (
        lane.connect(),
        lane.listen("/mcp", method="POST", body=body, **headers) as stream,
    ):
        await stream.event()
        lane.last.waiting[0][1].send(b"x" * (32 * limits.MIB))
        with trio.fail_after(5):
            await _is_cut(stream)


async def test_a_polite_session_is_not_behind_all_connections_of_a_busy_one(lane: Site) -> None:
    """Requests say whose a connection is: of those that came before the polite one, a turn's share is served first."""
    async with lane.connect(), AsyncExitStack() as stack:
        busy, count = lane.last, 100
        streams = [await stack.enter_async_context(await connect(lane)) for _ in range(count)]
        ping = post(lane, PING)
        async with lane.connect(), await connect(lane) as polite:
            for _ in range(2):
                # After these the gateway knows whose connections these are, and that nobody is alone.
                for stream, content in (
                    *((one, ping) for one in streams),
                    (polite, post(lane, PING)),
                ):
                    await stream.send_all(content)
                    await read_until(stream, b'"result":{}')
            before, served = len(busy.received), len(lane.last.received)
            for stream in streams:
                os.write(stream.socket.fileno(), ping)
            await polite.send_all(post(lane, PING))
            while len(lane.last.received) == served:
                await trio.lowlevel.checkpoint()
            assert len(busy.received) - before <= 2 * share(limits.READS_PER_TURN)
            for stream in streams:
                await read_until(stream, b'"result":{}')
            assert len(busy.received) - before == count


async def _is_cut(stream: EventStream) -> None:
    """Waits until the server's end is closed; reads nothing."""
    while True:
        await trio.sleep(0.05)
        try:
            await stream.stream.send_all(b"x")
        except trio.BrokenResourceError:
            return


@pytest.mark.refuses("from_clients.BODY_STALL_S")
@pytest.mark.parametrize("missing", [3, len(PING)])
async def test_a_body_that_stops_arriving_is_408(
    lane: Site, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    """Or never begins; and the connection ends."""
    monkeypatch.setattr(limits, "BODY_STALL_S", 0.05)
    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, PING)[:-missing])
        answer = await read_until(stream, b"never")
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"stopped arriving" in answer
    assert len(lane.last.received) == 1


async def test_a_body_is_announced_only_to_who_may_send_it(lane: Site) -> None:
    """Who is refused need not send a gigabyte first."""
    async with lane.connect(), await connect(lane) as stream:
        head, _, body = post(lane, PING).partition(b"\r\n\r\n")
        announced = head + b"\r\nExpect: 100-continue\r\n\r\n"
        await stream.send_all(announced)
        assert await stream.receive_some() == b"HTTP/1.1 100 \r\n\r\n"
        await stream.send_all(body)
        await read_until(stream, b'"result":{}')
        await stream.send_all(announced.replace(b"test-token", b"other"))
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 401")
        await stream.send_all(body + post(lane, PING))
        assert b'"result":{}' in await read_until(stream, b'"result":{}')


async def test_a_refused_body_that_never_comes_ends_the_connection(
    lane: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment."""
    monkeypatch.setattr(limits, "LINGER_S", 0.05)
    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, PING).replace(b"test-token", b"other")[:-3])
        assert (await read_until(stream, b"never")).startswith(b"HTTP/1.1 401")


async def test_a_modern_client_that_leaves_while_it_waits_has_cancelled(lane: Site) -> None:
    """Also in the middle of what it sends ahead."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"later","params":{"_meta":{%b}}}' % (
        b'"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
        b'"io.modelcontextprotocol/clientCapabilities":{}'
    )
    async with lane.connect(), await connect(lane) as stream:
        message = post(lane, body).replace(
            b"Content-Type",
            b"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: later\r\nContent-Type",
        )
        await stream.send_all(message)
        while not lane.sessions.stateless:
            await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(2):
        await lane.sessions.stateless[0].was_closed.wait()


async def test_an_answer_that_cannot_be_said_is_500_and_costs_nobody_else(
    lane: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever brings the answer, a server's reader, goes on."""

    def fail(_: object) -> None:
        raise ZeroDivisionError("inside")

    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, LATER))
        await lane.last.has_waiting.wait()
        with monkeypatch.context() as patch:
            patch.setattr("gateway.transports.exchange.Exchange.reply", fail)
            lane.last.answer()
        answer = await read_until(stream, b"}}")
        assert answer.startswith(b"HTTP/1.1 500")
        assert b"inside" not in answer
    assert "request_failed" in caplog.text


async def test_who_asks_is_looked_at_each_time(lane: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that comes again is found where it led before; its token may have been withdrawn meanwhile."""

    def refuse(*_: object) -> None:
        raise Unauthorized("withdrawn")

    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, PING))
        assert (await read_until(stream, b"{}}")).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(lane.front._auth, "authenticate", refuse)
        await stream.send_all(post(lane, PING))
        assert (await read_until(stream, b"}}")).startswith(b"HTTP/1.1 401")


async def test_a_head_is_read_once_for_bodies_of_any_length(
    lane: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found for it is found again."""

    def fail(_: object) -> None:
        raise AssertionError("the head was read anew")

    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, PING))
        await read_until(stream, b"{}}")
        monkeypatch.setattr("gateway.transports.line.check_head", fail)
        for blanks in (1, 200):
            await stream.send_all(post(lane, PING + b" " * blanks))
            assert (await read_until(stream, b"{}}")).startswith(b"HTTP/1.1 200")


async def test_a_get_with_a_body_is_no_event_stream(
    lane: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same head with another length may be one: then the lane takes it."""
    called: list[object] = []
    attend = FastLane._attend

    async def counted(self: FastLane, serving: Serving) -> None:
        called.append(serving)
        await attend(self, serving)

    monkeypatch.setattr(FastLane, "_attend", counted)
    head = (
        b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer test-token\r\n"
        b"Accept: text/event-stream\r\nMcp-Session-Id: x\r\nContent-Length: "
    )
    async with lane.connect(), await connect(lane) as stream:
        for length, lane_took in ((b"0", 1), (b"2", 1), (b"0", 2)):
            await stream.send_all(head + length + b"\r\n\r\n" + b"{}"[: int(length)])
            assert b" 404 " in await read_until(stream, b"}}")
            assert len(called) == lane_took


async def test_a_request_wakes_no_task(lane: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it comes in one piece, or its body by itself. Nor does the answer, whoever brings it."""

    async def fail(_: object) -> None:
        raise AssertionError("the connection's task was woken")

    async with lane.connect(), await connect(lane) as stream:
        monkeypatch.setattr("gateway.transports.line.Line.head", fail)
        head, _, body = post(lane, PING).partition(b"\r\n\r\n")
        for pieces in ((head + b"\r\n\r\n" + body,), (head + b"\r\n\r\n", body)):
            for piece in pieces:
                await stream.send_all(piece)
                await trio.testing.wait_all_tasks_blocked(0.01)
            assert b'"result":{}' in await read_until(stream, b"{}}")
        await stream.send_all(post(lane, LATER))
        await lane.last.has_waiting.wait()
        lane.last.answer()
        assert b'"result":{}' in await read_until(stream, b"{}}")


async def test_what_is_sent_ahead_waits_for_its_turn(lane: Site) -> None:
    """Also where it comes while the answer is in the making, and in pieces."""
    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(post(lane, LATER))
        await lane.last.has_waiting.wait()
        seen = len(lane.last.received)
        message = post(lane, PING)
        for piece in (message[:30], message[30:], message):
            await stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked(0.01)
        assert len(lane.last.received) == seen
        lane.last.answer()
        answers = b""
        while answers.count(b'"result":{}') < 3:
            answers += await stream.receive_some()
        assert len(lane.last.received) == seen + 2


async def test_a_request_after_which_the_client_wants_the_end(lane: Site) -> None:
    """The answer says so, and the connection ends."""
    async with lane.connect(), await connect(lane) as stream:
        await stream.send_all(
            post(lane, PING).replace(b"\r\nHost", b"\r\nConnection: close\r\nHost")
        )
        answer = await read_until(stream, b"never")
        assert b"connection: close" in answer
        assert answer.endswith(b'"result":{}}')
