"""Streamable HTTP as a client: headers, statuses, sessions, streams that break."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import trio

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import Gone, Overloaded
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.messages import Failure, Missed, Notification, Request, Result, Untaken
from gateway.jsonrpc.sse import encode_event
from gateway.ports import MessagePipe
from gateway.upstreams.http import HttpPipe
from gateway.upstreams.sse import SsePipe
from tests.fakes.http_server import Exchange, HangUp, serve
from tests.fakes.mcp_server import McpOverHttp, McpOverSse
from tests.unit.gateway.upstreams.running import (
    answer,
    call,
    failed,
    modern,
    result_frame,
    running,
)

INITIALIZED = Notification("notifications/initialized")


async def pass_over_untaken(pipe: MessagePipe) -> None:
    """Reads what is said of a lost session, if there is time for that before the pipe ends."""
    while isinstance(await pipe.receive(), Untaken):
        pass


EVENTS = {"content_type": "text/event-stream"}


async def test_headers_follow_the_session() -> None:
    """Session and revision are sent once `initialize` has settled them, the entry's headers always."""
    speaks = McpOverHttp()
    async with running(speaks, headers={"Authorization": "Bearer s3cret\n"}) as (pipe, server):
        await call(pipe, 0, "initialize")
        await call(pipe, 1, "echo")
    first, second, last = (request.headers for request in server.requests)
    assert "mcp-session-id" not in first
    assert "mcp-protocol-version" not in first
    assert first["accept"] == "application/json, text/event-stream"
    assert first["content-type"] == "application/json"
    assert second["mcp-session-id"] == "session-1"
    assert second["mcp-protocol-version"] == "2025-06-18"
    assert {first["authorization"], second["authorization"]} == {"Bearer s3cret"}
    assert last["mcp-session-id"] == "session-1"


async def test_closing_ends_the_session_on_the_server() -> None:
    """DELETE, once."""
    speaks = McpOverHttp()
    async with running(speaks) as (pipe, server):
        await call(pipe, 0, "initialize")
        await pipe.aclose()
        await pipe.aclose()
        assert len(server.seen("DELETE")) == 1
    assert speaks.sessions == set()


async def test_closing_does_not_wait_for_a_server_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The goodbye is bounded."""
    monkeypatch.setattr(limits, "REMOTE_CLOSE_S", 0.05)

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "DELETE":
            await exchange.until_closed()
            raise HangUp
        await answer(exchange, mcp_session_id="s")

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        await pipe.aclose()


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (401, {}, "check the secrets in the header Authorization of its entry"),
        (403, {}, "forbids this"),
        (404, {}, "check the url of its entry"),
        (429, {"retry_after": "3600"}, "try again in 3600 s"),
        (503, {"retry_after": "Fri, 31 Dec 2199 23:59:59 GMT"}, "try again after Fri, 31 Dec"),
        (429, {}, "try again later"),
        (503, {}, "try again later"),
        (500, {}, "500 Internal Server Error"),
        (418, {}, "418 I'm a Teapot"),
    ],
)
async def test_an_http_error_fails_its_request_only(
    status: int, headers: dict[str, str], text: str
) -> None:
    """The failure says what to do, never the secret; the next request is served."""
    answers = [status, 200]

    async def handle(exchange: Exchange) -> None:
        if (now := answers.pop(0)) == status:
            await exchange.respond(now, b"<html>", content_type="text/html", **headers)
        else:
            await answer(exchange)

    async with running(handle, headers={"Authorization": "Bearer s3cret"}) as (pipe, _):
        failure = await failed(pipe)
        assert text in failure.message
        assert "'fake'" in failure.message
        assert "s3cret" not in failure.message
        assert isinstance(await call(pipe, 2), Result)


async def test_a_json_rpc_error_in_an_http_error_is_passed_on() -> None:
    """The server's own code and words are better than ours."""

    async def handle(exchange: Exchange) -> None:
        body = encode(Failure(1, -32602, "no such tool"))
        await exchange.respond(400, body, content_type="application/json")

    async with running(handle) as (pipe, _):
        assert await call(pipe) == Failure(1, -32602, "no such tool")


async def test_an_error_for_nobody_is_quoted() -> None:
    """What a server says with a null id becomes part of the sentence."""

    async def handle(exchange: Exchange) -> None:
        body = encode(Failure(None, -32000, "Bad Request: Server not initialized"))
        await exchange.respond(400, body, content_type="application/json")

    async with running(handle) as (pipe, _):
        assert "it says: Bad Request: Server not initialized" in (await failed(pipe)).message


async def test_an_error_for_nobody_in_a_good_answer_is_for_who_asked() -> None:
    """200 with a null id can be meant for one request only."""

    async def handle(exchange: Exchange) -> None:
        body = encode(Failure(None, -32603, "oops"))
        await exchange.respond(200, body, content_type="application/json")

    async with running(handle) as (pipe, _):
        assert await call(pipe) == Failure(1, -32603, "oops")


@pytest.mark.parametrize(
    ("status", "said"), [(404, ""), (404, "Session not found"), (400, "No valid session ID")]
)
async def test_a_lost_session_ends_the_pipe(status: int, said: str) -> None:
    """The owner is to initialize anew."""

    async def handle(exchange: Exchange) -> None:
        if b"initialize" in exchange.request.body:
            await answer(exchange, mcp_session_id="s")
        else:
            body = encode(Failure(None, -32000, said)) if said else b""
            await exchange.respond(status, body, content_type="application/json")

    async with running(handle) as (pipe, server):
        await call(pipe, 0, "initialize")
        untaken = await call(pipe)
        assert isinstance(untaken, Untaken)
        assert untaken.id == 1
        with pytest.raises(Gone, match="has ended the session"):
            await pipe.receive()
        with pytest.raises(Gone, match="has ended the session"):
            pipe.send(Request(2, "ping"))
    assert server.seen("DELETE") == []


async def test_a_lost_session_does_not_end_what_is_in_flight() -> None:
    """Each request ends in its own way; the pipe ends after the last. What its client gives up is given up."""
    asked, given_up = trio.Event(), trio.Event()

    async def handle(exchange: Exchange) -> None:
        body = exchange.request.body
        if b"initialize" in body:
            await answer(exchange, mcp_session_id="s")
        elif b"slow" in body:
            await asked.wait()
            await answer(exchange)
        elif b"endless" in body:
            await exchange.until_closed()
            given_up.set()
            raise HangUp
        else:
            asked.set()
            await exchange.respond(404)

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        pipe.send(Request(1, "endless"))
        pipe.send(Request(2, "slow"))
        pipe.send(Request(3, "tools/call"))
        answers = {message.id: message for message in (await pipe.receive(), await pipe.receive())}  # type: ignore[union-attr] # answers have ids
        assert isinstance(answers[2], Result)
        assert isinstance(answers[3], Untaken)
        with pytest.raises(Gone, match="has ended the session"):
            pipe.send(Notification("notifications/cancelled", msgspec.Raw(b'{"requestId":1}')))
        await given_up.wait()
        with pytest.raises(Gone, match="has ended the session"):
            await pipe.receive()


async def test_what_waits_for_a_lost_session_was_not_taken() -> None:
    """The first message of a session is refused, and another stands behind it."""

    async def handle(exchange: Exchange) -> None:
        if b"notifications/" in exchange.request.body:
            await exchange.respond(404)
        else:
            await answer(exchange, mcp_session_id="s")

    async with running(handle) as (pipe, server):
        await call(pipe, 0, "initialize")
        pipe.send(INITIALIZED)
        message = await call(pipe, 1)
        assert isinstance(message, Untaken)
        assert message.id == 1
    assert [b"tools/call" in request.body for request in server.requests] == [False, False]


async def test_an_unknown_method_is_no_lost_session() -> None:
    """A 404 that answers our request is an answer."""

    async def handle(exchange: Exchange) -> None:
        if b"initialize" in exchange.request.body:
            await answer(exchange, mcp_session_id="s")
        else:
            body = encode(Failure(1, -32601, "unknown"))
            await exchange.respond(404, body, content_type="application/json")

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        assert await call(pipe) == Failure(1, -32601, "unknown")


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html", b"<html>", "answered with text/html instead of application/json"),
        ("application/json", b"{}", "something else than an answer to tools/call"),
        ("application/json", b"not json", "something else than an answer to tools/call"),
        ("application/json", b"", "something else than an answer to tools/call"),
    ],
)
async def test_a_200_without_an_answer_fails(content_type: str, body: bytes, text: str) -> None:
    """Nobody waits for what will not come."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(200, body, content_type=content_type)

    async with running(handle) as (pipe, _):
        assert text in (await failed(pipe)).message


async def test_a_batch_answer_is_unpacked() -> None:
    """Revision 2025-03-26 allows one; the layout of the text does not matter."""

    async def handle(exchange: Exchange) -> None:
        note = b'{"jsonrpc":"2.0",\n "method":"notifications/x"}'
        body = b" [\r\n" + note + b",\n" + result_frame(exchange) + b"\n]"
        await exchange.respond(200, body, content_type="application/json; charset=utf-8")

    async with running(handle) as (pipe, _):
        assert await call(pipe) == Notification("notifications/x")
        assert isinstance(await pipe.receive(), Result)


@pytest.mark.refuses("from_servers.MAX_FRAME_BYTES")
async def test_an_endless_answer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body has a bound."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 1000)

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, content_type="application/json")
        while True:
            await exchange.send(b"[" * 500)

    async with running(handle) as (pipe, _):
        assert "more than 1000 bytes" in (await failed(pipe)).message


async def test_connections_are_used_again() -> None:
    """JSON answers, streams and notifications leave their connection usable."""
    async with running(McpOverHttp(listens=False)) as (pipe, server):
        await call(pipe, 0, "initialize")
        for number in range(1, 10):
            await call(pipe, number, "echo")
            pipe.send(Request(100 + number, "chat"))
            await pipe.receive()
            await pipe.receive()
            await trio.testing.wait_all_tasks_blocked()
    assert server.connections <= 2


async def test_an_unreachable_server_fails_the_request() -> None:
    """The address is in the text."""

    async def handle(exchange: Exchange) -> None:
        raise AssertionError

    async with serve(handle) as server:
        port = server.port
    async with running(handle) as (pipe, server):
        pipe._wire._url = f"http://127.0.0.1:{port}/mcp"  # type: ignore[attr-defined] # nobody listens there any more
        message = (await failed(pipe)).message
    assert "cannot be reached: " in message
    assert str(port) in message


async def test_a_connection_that_breaks_fails_the_request() -> None:
    """Before an answer, and in the middle of one."""
    steps: list[Callable[[Exchange], Awaitable[None]]] = []

    async def handle(exchange: Exchange) -> None:
        await steps.pop(0)(exchange)
        raise HangUp

    async def nothing(exchange: Exchange) -> None:
        pass

    async def half(exchange: Exchange) -> None:
        await exchange.start(200, content_type="application/json", content_length="100")
        await exchange.send(b'{"jsonrpc"')

    async def stream(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(b"data: {")

    steps += [nothing, half, stream]
    async with running(handle) as (pipe, _):
        assert "broke the connection before it answered" in (await failed(pipe, 1)).message
        assert "before its answer was complete" in (await failed(pipe, 2)).message
        assert "before its answer was complete" in (await failed(pipe, 3)).message


# --- redirects ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_within_the_origin_is_followed(status: int) -> None:
    """With method and body; a permanent one is remembered."""

    async def handle(exchange: Exchange) -> None:
        if exchange.request.target == "/mcp":
            await exchange.respond(status, location="/mcp/")
        else:
            await answer(exchange)

    async with running(handle, headers={"X-Key": "k"}) as (pipe, server):
        assert isinstance(await call(pipe, 1), Result)
        assert isinstance(await call(pipe, 2), Result)
    targets = [request.target for request in server.requests]
    assert targets == ["/mcp", "/mcp/", *(["/mcp"] if status in (302, 307) else []), "/mcp/"]
    assert {request.headers["x-key"] for request in server.requests} == {"k"}


async def test_a_redirect_to_another_origin_is_refused() -> None:
    """The headers hold secrets: nobody else gets them."""

    async def elsewhere(exchange: Exchange) -> None:
        await answer(exchange)

    async with serve(elsewhere) as other:

        async def handle(exchange: Exchange) -> None:
            await exchange.respond(307, location=other.origin + "/mcp")

        async with running(handle, headers={"X-Key": "k"}) as (pipe, _):
            assert "redirects elsewhere" in (await failed(pipe)).message
        assert other.requests == []


@pytest.mark.refuses("from_servers.MAX_REDIRECTS")
async def test_redirects_in_circles_end() -> None:
    """After a few."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(307, location="/mcp")

    async with running(handle) as (pipe, server):
        assert "redirects in circles" in (await failed(pipe)).message
    assert len(server.requests) == limits.MAX_REDIRECTS + 1


# --- streams ------------------------------------------------------------------------------------------------------


async def test_a_broken_stream_is_resumed_after_its_last_event() -> None:
    """The pause the server asks for is kept, nothing comes twice."""

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            await exchange.start(200, **EVENTS)
            await exchange.send(b"id: 1\nretry: 1\ndata: \n\n")
            note = encode(Notification("notifications/x"))
            await exchange.send(encode_event(note, id="2"))
            raise HangUp
        await exchange.start(200, **EVENTS)
        await exchange.send(encode_event(encode(Result(1, msgspec.Raw(b"{}"))), id="3"))
        await exchange.finish()

    async with running(handle) as (pipe, server):
        assert await call(pipe) == Notification("notifications/x")
        assert isinstance(await pipe.receive(), Result)
    assert [r.headers["last-event-id"] for r in server.seen("GET")] == ["2"]


async def test_a_stream_that_breaks_after_the_answer_has_done_its_work() -> None:
    """The answer counts, and nothing follows it."""

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(encode_event(result_frame(exchange)))
        await trio.testing.wait_all_tasks_blocked()
        raise HangUp

    async with running(handle) as (pipe, _):
        assert isinstance(await call(pipe, 1), Result)
        assert await call(pipe, 2) == Result(2, msgspec.Raw(b"{}"))


@pytest.mark.refuses("from_servers.MAX_FRAME_BYTES")
async def test_an_endless_event_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so are events that are no messages; the answer after them counts."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 1000)

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(b"event: ping\ndata: {}\n\n")
        for _ in range(10):
            await exchange.send(b"data: " + b"x" * 500)
        await exchange.send(b"\n\n" + encode_event(result_frame(exchange)))
        await exchange.finish()

    async with running(handle) as (pipe, _):
        assert isinstance(await call(pipe), Result)


async def test_a_server_may_be_polled() -> None:
    """It may close the stream as often as it likes before the answer, as long as it can be resumed (2025-11-25)."""
    polls = 0

    async def handle(exchange: Exchange) -> None:
        nonlocal polls
        await exchange.start(200, **EVENTS)
        if exchange.request.method == "GET":
            polls += 1
        await exchange.send(b"id: %d\nretry: 1\ndata: \n\n" % polls)
        if polls > limits.RESUME_ATTEMPTS + 2:
            await exchange.send(encode_event(encode(Result(1, msgspec.Raw(b"{}")))))
        await exchange.finish()

    async with running(handle) as (pipe, _):
        assert isinstance(await call(pipe), Result)


async def test_a_stream_that_cannot_be_resumed_fails_its_request() -> None:
    """Without an event id there is nothing to go on from."""

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(b": nothing to see\n\n")
        await exchange.finish()

    async with running(handle) as (pipe, server):
        assert "the outcome is unknown" in (await failed(pipe)).message
        assert server.seen("GET") == []


@pytest.mark.parametrize("then", [503, 405, 0, 200])
async def test_resuming_is_given_up(then: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once where the server refuses, after some attempts where it fails."""
    monkeypatch.setattr(limits, "RECONNECT_S", 0.001)

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            await exchange.start(200, **EVENTS)
            await exchange.send(b"id: 1\ndata: \n\n")
        elif then == 200:
            await exchange.respond(200, b"{}", content_type="application/json")
            return
        elif then:
            await exchange.respond(then)
            return
        raise HangUp

    async with running(handle) as (pipe, server):
        await failed(pipe)
    attempts = 1 if then in (405, 200) else limits.RESUME_ATTEMPTS
    assert len(server.seen("GET")) == attempts


DEEP = b"[" * 20_000 + b"]" * 20_000
LONG = b'"%b"' % (b"x" * 2000)


@pytest.mark.parametrize(
    "request_1",
    [Request(1, "tools/call"), modern(1, "prompts/get", name="p")],
    ids=["old", "modern"],
)
@pytest.mark.parametrize(("value", "reason"), [(LONG, "longer than"), (DEEP, "nested too deeply")])
async def test_an_answer_on_a_stream_that_cannot_be_read_fails_its_request(
    monkeypatch: pytest.MonkeyPatch, request_1: Request, value: bytes, reason: str
) -> None:
    """There is one request that it can be meant for, whatever can be read of it; the stream may never end."""
    if value is LONG:
        monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 1000)

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(encode_event(encode(Notification("notifications/x"))))
        await exchange.send(
            encode_event(b'{"result":{"a":%b},"x":1,"jsonrpc":"2.0","id":1}' % value)
        )
        await exchange.until_closed()

    async with running(handle) as (pipe, _):
        pipe.send(request_1)
        assert await pipe.receive() == Notification("notifications/x")
        failure = await pipe.receive()
        assert isinstance(failure, Failure)
        assert failure.id == 1
        assert f"sent an answer that cannot be read: it is {reason}" in failure.message


async def test_an_answer_that_is_too_deep_fails_its_request() -> None:
    """In a body that is no stream."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(
            200, b'{"x":1,"result":%b,"id":1}' % DEEP, content_type="application/json"
        )

    async with running(handle) as (pipe, _):
        assert "cannot be read: it is nested too deeply" in (await failed(pipe)).message


async def test_what_cannot_be_read_on_the_servers_own_stream_is_no_answer() -> None:
    """None is sent there."""

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            await answer(exchange, mcp_session_id="s")
            return
        await exchange.start(200, **EVENTS)
        await exchange.send(encode_event(b'{"params":%b,"method":"notifications/x"}' % DEEP))
        await exchange.send(encode_event(encode(Notification("notifications/y"))))
        await exchange.until_closed()

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        pipe.send(INITIALIZED)
        assert await pipe.receive() == Notification("notifications/y")


async def test_the_server_speaks_first_on_a_stream_of_its_own() -> None:
    """It is opened after `notifications/initialized`, and again when it breaks."""
    heard = encode_event(encode(Notification("notifications/tools/list_changed")), id="9")

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            await answer(exchange, mcp_session_id="s")
        elif exchange.request.method == "GET":
            await exchange.start(200, **EVENTS)
            await exchange.send(b"retry: 1\n\n" + heard)
            await exchange.finish()
        else:
            await exchange.respond(405)

    async with running(handle) as (pipe, server):
        await call(pipe, 0, "initialize")
        assert server.seen("GET") == []
        pipe.send(INITIALIZED)
        for _ in range(3):
            assert await pipe.receive() == Notification("notifications/tools/list_changed")
    first, second, *_ = server.seen("GET")
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "9"
    assert second.headers["mcp-session-id"] == "s"


async def test_what_a_broken_stream_may_have_missed_is_told() -> None:
    """Without event ids nobody knows what was said meanwhile; once the stream is open again, nothing more is missed."""
    opened = 0
    heard = encode_event(encode(Notification("notifications/x")))

    async def handle(exchange: Exchange) -> None:
        nonlocal opened
        if exchange.request.method != "GET":
            await answer(exchange, mcp_session_id="s")
            return
        opened += 1
        if opened == 3:
            await exchange.respond(405)
            return
        await exchange.start(200, **EVENTS)
        await exchange.send(b"retry: 1\n\n" + heard)
        await exchange.finish()

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        pipe.send(INITIALIZED)
        messages = [await pipe.receive() for _ in range(3)]
        assert [type(message) for message in messages] == [Notification, Missed, Notification]
        while opened < 3:  # noqa: ASYNC110 -- it is told in the log only
            await trio.sleep(0.01)
        assert await call(pipe) == Result(1, msgspec.Raw(b"{}"))


async def test_a_connection_whose_other_end_vanishes_is_found_out() -> None:
    """The kernel looks after each: it has set its timer."""
    async with running(answer) as (pipe, server):
        await call(pipe)
        assert timers_to(server.port) == ["02"]


def timers_to(port: int) -> list[str]:
    """The kernel's timer of each open connection to that port: 00 for none, 02 for one that probes what is silent."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[5][:2] for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"]


@pytest.mark.parametrize("status", [405, 404, 400, 200])
async def test_a_server_without_a_stream_of_its_own_is_left_alone(status: int) -> None:
    """One look, no error; calls go on."""

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            await exchange.respond(status)
        else:
            await answer(exchange, mcp_session_id="s")

    async with running(handle) as (pipe, server):
        await call(pipe, 0, "initialize")
        pipe.send(INITIALIZED)
        for number in range(1, 4):
            assert isinstance(await call(pipe, number), Result)
    assert len(server.seen("GET")) == 1


async def test_a_session_lost_on_the_listening_stream_ends_the_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A restarted server is noticed without a call."""
    monkeypatch.setattr(limits, "RECONNECT_S", 0.001)
    lost = False

    async def handle(exchange: Exchange) -> None:
        nonlocal lost
        if exchange.request.method != "GET":
            await answer(exchange, mcp_session_id="s")
        elif lost:
            await exchange.respond(404)
        else:
            lost = True
            await exchange.start(200, **EVENTS)
            await exchange.finish()

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        pipe.send(INITIALIZED)
        with pytest.raises(Gone, match="has ended the session"):
            await pass_over_untaken(pipe)


async def test_nothing_overtakes_initialized() -> None:
    """A server that counts on the order gets it."""
    order: list[bytes] = []
    accepted = trio.Event()

    async def handle(exchange: Exchange) -> None:
        if b"initialized" in exchange.request.body:
            await accepted.wait()
        order.append(exchange.request.body)
        if exchange.request.method == "POST":
            await answer(exchange)
        else:
            await exchange.respond(405)

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        pipe.send(INITIALIZED)
        pipe.send(Request(1, "tools/list"))
        await trio.testing.wait_all_tasks_blocked()
        accepted.set()
        await pipe.receive()
    assert [b"tools/list" in body for body in order if body] == [False, False, True]


async def test_a_lost_notification_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and so is an answer to the server; the pipe goes on."""

    async def handle(exchange: Exchange) -> None:
        if b'"method":"tools/call"' in exchange.request.body:
            await answer(exchange)
        else:
            await exchange.respond(500)

    async with running(handle) as (pipe, server):
        pipe.send(INITIALIZED)
        pipe.send(Result("question", msgspec.Raw(b"{}")))
        assert isinstance(await call(pipe), Result)
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert server.seen("GET") == []
    assert caplog.text.count("upstream_message_lost") == 2


async def test_a_session_lost_with_a_notification_ends_the_pipe() -> None:
    """Here too, the owner is to initialize anew."""

    async def handle(exchange: Exchange) -> None:
        if b"notifications/" in exchange.request.body:
            await exchange.respond(404)
        else:
            await answer(exchange, mcp_session_id="s")

    async with running(handle) as (pipe, _):
        await call(pipe, 0, "initialize")
        pipe.send(INITIALIZED)
        assert isinstance(await pipe.receive(), Untaken)
        with pytest.raises(Gone, match="has ended the session"):
            await pipe.receive()


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("kind", [HttpPipe, SsePipe])
async def test_a_pipe_that_is_cancelled_refuses_what_is_sent_meanwhile(
    kind: type[HttpPipe | SsePipe], turns: int
) -> None:
    """At whatever turn of the scheduler: its owner gives up its calls in the same moment."""
    speaks = McpOverHttp() if kind is HttpPipe else McpOverSse()
    with trio.fail_after(5):
        async with serve(speaks) as server, trio.open_nursery() as nursery:
            pipe = kind(RemoteLaunch(url=server.origin, transport="sse"), server="fake")
            nursery.start_soon(pipe.run)
            await call(pipe, 0, "initialize")
            await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
            for _ in range(turns):
                await trio.lowlevel.cancel_shielded_checkpoint()
            with suppress(Gone):
                pipe.send(INITIALIZED)
            with trio.CancelScope(shield=True):
                await pipe.aclose()


# --- bounds -------------------------------------------------------------------------------------------------------


async def test_a_cancelled_request_gives_up_its_post() -> None:
    """The server sees the connection drop, is told, and no answer comes."""
    arrived, dropped = trio.Event(), trio.Event()

    async def handle(exchange: Exchange) -> None:
        if b"tools/call" in exchange.request.body:
            arrived.set()
            await exchange.until_closed()
            dropped.set()
            raise HangUp
        await answer(exchange)

    async with running(handle) as (pipe, server):
        pipe.send(Request(1, "tools/call"))
        await arrived.wait()
        pipe.send(Notification("notifications/cancelled", msgspec.Raw(b'{"requestId":1}')))
        await dropped.wait()
        assert await call(pipe, 2, "ping") == Result(2, msgspec.Raw(b"{}"))
        assert [b"cancelled" in request.body for request in server.requests] == [False, True, False]


@pytest.mark.parametrize("params", [b'{"requestId":99}', b"{}", b'{"requestId":{}}', b"[]"])
async def test_a_cancellation_of_nothing_is_passed_on(params: bytes) -> None:
    """The server may know better."""
    async with running(answer) as (pipe, server):
        pipe.send(Notification("notifications/cancelled", msgspec.Raw(params)))
        await call(pipe)
    assert len(server.requests) == 2


async def test_messages_in_flight_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by size; what is over the bound is refused at once."""
    monkeypatch.setattr(limits, "MAX_INFLIGHT_PER_REMOTE", 2)
    async with running(McpOverHttp()) as (pipe, _):
        await call(pipe, 0, "initialize")
        await trio.testing.wait_all_tasks_blocked(0.01)
        pipe.send(Request(1, "hang"))
        pipe.send(Request(2, "hang"))
        with pytest.raises(Overloaded, match="2 messages in flight"):
            pipe.send(Request(3, "hang"))
        assert "2 in flight" in repr(pipe)
    monkeypatch.setattr(limits, "MAX_OUTBOUND_BYTES", 10)
    async with running(McpOverHttp()) as (pipe, _):
        with pytest.raises(Overloaded):
            pipe.send(Request(0, "initialize"))


async def test_a_reader_that_stops_stops_the_server() -> None:
    """A full inbox leaves the rest in the socket."""
    sent = 0
    begun = trio.Event()

    async def handle(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.start(200, **EVENTS)
        frame = encode_event(
            encode(Notification("n", msgspec.Raw(b'{"x":"%b"}' % (b"x" * 100_000))))
        )
        while True:
            await exchange.send(frame)
            sent += 1
            begun.set()

    async with running(handle) as (pipe, _):
        pipe.send(Request(1, "tools/call"))
        await begun.wait()
        before = 0
        while before != sent:  # for ever, if nothing stops it
            before = sent
            await trio.testing.wait_all_tasks_blocked(0.1)


# --- what an operator may get wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a\nb", "a\x00b"])
async def test_a_header_that_cannot_be_sent_is_named(value: str) -> None:
    """By its name; the value is a secret."""
    async with running(answer, headers={"X-Key": value}) as (pipe, _):
        with pytest.raises(Gone, match="'X-Key'") as caught:
            await pipe.receive()
        assert value not in str(caught.value)


async def test_a_header_may_hold_any_printable_text() -> None:
    """It travels as UTF-8."""
    async with running(answer, headers={"X-Key": "käse"}) as (pipe, server):
        await call(pipe)
    assert server.requests[0].headers["x-key"] == "käse"


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other program on the machine does."""
    async with running(answer) as (_, proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("NO_PROXY", "")
        async with running(answer) as (pipe, server):
            await call(pipe)
            assert server.requests == []
        assert proxy.requests[0].target == f"{server.origin}/mcp"


async def test_a_wrong_proxy_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo in the environment is no crash."""
    monkeypatch.setenv("HTTP_PROXY", "ftp://nowhere")
    async with running(answer) as (pipe, _):
        with pytest.raises(Gone, match="proxy or certificate variable"):
            await pipe.receive()


async def test_a_session_id_that_cannot_be_sent_back_fails_initialize() -> None:
    """Visible ASCII only, the specification says."""

    async def handle(exchange: Exchange) -> None:
        await answer(exchange, mcp_session_id="caf\xe9")

    async with running(handle) as (pipe, _):
        message = await call(pipe, 0, "initialize")
        assert isinstance(message, Failure)
        assert "session id" in message.message


async def test_a_url_that_is_none_is_told() -> None:
    """Before anything is sent."""
    pipe = HttpPipe(RemoteLaunch(url="mcp.example/x", transport="streamable-http"), server="fake")
    await pipe.run()
    with pytest.raises(Gone, match="correct the url of its entry"):
        await pipe.receive()
    await pipe.aclose()


async def test_an_odd_answer_to_initialize_is_for_whoever_asked() -> None:
    """The pipe passes it on and learns nothing from it."""

    async def handle(exchange: Exchange) -> None:
        frame = result_frame(exchange, b"[1]")
        await exchange.respond(200, frame, content_type="application/json")

    async with running(handle) as (pipe, server):
        assert await call(pipe, 0, "initialize") == Result(0, msgspec.Raw(b"[1]"))
        await call(pipe)
    assert "mcp-protocol-version" not in server.requests[1].headers


async def test_a_refusal_of_a_modern_server_in_a_session_means_that_nobody_has_read_the_request() -> (
    None
):
    """It has taken the place of an older one; the call may go to it anew."""
    speaks = McpOverHttp()

    async def handle(exchange: Exchange) -> None:
        if b"initialize" in exchange.request.body:
            await speaks(exchange)
            return
        error = Failure(2, -32022, "Unsupported protocol version")
        await exchange.respond(400, encode(error), content_type="application/json")

    async with running(handle) as (pipe, _):
        assert isinstance(await call(pipe, 1, "initialize"), Result)
        assert isinstance(await call(pipe, 2), Untaken)
