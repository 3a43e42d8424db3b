"""Streamable HTTP as a client of modern servers: headers, statuses, streams, cancellation."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway import limits
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result, Untaken
from gateway.jsonrpc.sse import comment, encode_event
from gateway.mcp import headers
from gateway.ports import MessagePipe
from gateway.upstreams.probe import ProbePipe
from tests.fakes.http_server import Exchange, HangUp, Seen
from tests.fakes.mcp_server import McpOverHttp, McpOverSse
from tests.unit.gateway.upstreams.modern import ModernOverHttp, tool
from tests.unit.gateway.upstreams.running import answer, modern, result_frame, running

EVENTS = {"content_type": "text/event-stream"}
JSON = {"content_type": "application/json"}


async def ask(pipe: MessagePipe, request: Request) -> Message:
    """Sends a request and returns the next message."""
    pipe.send(request)
    return await pipe.receive()


async def refused(pipe: MessagePipe, request: Request) -> Failure:
    """Sends a request that fails."""
    message = await ask(pipe, request)
    assert isinstance(message, Failure)
    assert message.id == request.id
    return message


def cancelled(number: int) -> Notification:
    """The notification that gives up a request."""
    return Notification("notifications/cancelled", msgspec.Raw(b'{"requestId":%d}' % number))


async def test_each_request_says_everything_in_its_headers() -> None:
    """Revision, method and name from the body; no session, whatever the server hands out."""

    async def handle(exchange: Exchange) -> None:
        await answer(exchange, mcp_session_id="s")

    async with running(handle, headers={"Authorization": "Bearer k"}) as (pipe, server):
        await ask(pipe, modern(1, "server/discover"))
        await ask(pipe, modern(2, "resources/read", uri="test://ä"))
        await ask(pipe, modern(3, "tasks/get", taskId="t1"))
        await pipe.aclose()
    assert [seen.method for seen in server.requests] == ["POST"] * 3
    for seen in server.requests:
        assert seen.headers["accept"] == "application/json, text/event-stream"
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["authorization"] == "Bearer k"
        assert seen.headers["mcp-protocol-version"] == "2026-07-28"
        assert "mcp-session-id" not in seen.headers
    first, second, third = (seen.headers for seen in server.requests)
    assert first["mcp-method"] == "server/discover"
    assert "mcp-name" not in first
    assert headers.decode_value(second["mcp-name"]) == "test://ä"
    assert third["mcp-name"] == "t1"


async def test_notifications_come_before_the_answer_of_their_stream() -> None:
    """Comments keep it open and are nobody's message; what else is on it belongs elsewhere."""

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(comment("still here"))
        for message in (
            Notification("notifications/progress"),
            Request("q", "roots/list"),
            Result(99, msgspec.Raw(b"{}")),
        ):
            await exchange.send(encode_event(encode(message)))
        await exchange.send(encode_event(result_frame(exchange)))
        await exchange.finish()

    async with running(handle) as (pipe, _):
        assert await ask(pipe, modern(1, "prompts/get", name="p")) == Notification(
            "notifications/progress"
        )
        assert await pipe.receive() == Result(1, msgspec.Raw(b"{}"))


async def test_an_answer_does_not_wait_for_the_end_of_its_stream() -> None:
    """The server may keep the stream open for as long as it likes."""

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(encode_event(result_frame(exchange)))
        await exchange.until_closed()

    async with running(handle) as (pipe, _):
        assert isinstance(await ask(pipe, modern(1, "tools/list")), Result)


@pytest.mark.parametrize("with_id", [b"", b'"id":"server-error",'])
async def test_a_stream_that_ends_without_the_answer_fails_its_request(with_id: bytes) -> None:
    """Neither resumed nor asked again, event id or not: the request may have had effects."""

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, **EVENTS)
        await exchange.send(b"id: 7\ndata: {%b}\n\n" % with_id)
        if with_id:
            raise HangUp
        await exchange.finish()

    async with running(handle) as (pipe, server):
        message = (await refused(pipe, modern(1, "prompts/get", name="p"))).message
    assert "the outcome is unknown" in message or "before its answer was complete" in message
    assert [seen.method for seen in server.requests] == ["POST"]


@pytest.mark.parametrize("number", [b'"id":1,', b'"id":null,', b"", b'"id":"server-error",'])
@pytest.mark.parametrize("status", [400, 404, 500])
async def test_an_error_in_an_http_error_is_the_answer(status: int, number: bytes) -> None:
    """Code and data are kept, whatever id the server found."""
    data = b'{"supported":["2027-01-01"],"requested":"2026-07-28"}'

    async def handle(exchange: Exchange) -> None:
        error = b'{"code":-32022,"message":"no","data":%b}' % data
        body = b'{"jsonrpc":"2.0",%b"error":%b}' % (number, error)
        await exchange.respond(status, body, **JSON)

    async with running(handle) as (pipe, _):
        failure = await refused(pipe, modern(1, "server/discover"))
    assert (failure.code, failure.message) == (-32022, "no")
    assert bytes(failure.data or b"") == data


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "check the secrets in the header Authorization"),
        (404, "check the url of its entry"),
        (405, "check the url of its entry"),
        (429, "try again later"),
        (503, "try again later"),
    ],
)
async def test_an_http_error_without_one_fails_its_request_only(status: int, text: str) -> None:
    """The sentence says what to do; the next request is served."""
    answers = [status, 200]

    async def handle(exchange: Exchange) -> None:
        if (now := answers.pop(0)) == status:
            await exchange.respond(now, b"<html>", content_type="text/html")
        else:
            await answer(exchange)

    async with running(handle, headers={"Authorization": "x"}) as (pipe, _):
        assert text in (await refused(pipe, modern(1, "server/discover"))).message
        assert isinstance(await ask(pipe, modern(2, "server/discover")), Result)


async def test_a_status_about_the_way_there_is_not_hidden_by_an_error_for_nobody() -> None:
    """Wrong credentials are told with where they come from; the server's words are quoted."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(401, encode(Failure(None, -32001, "who are you?")), **JSON)

    async with running(handle, headers={"X-Key": "x"}) as (pipe, _):
        message = (await refused(pipe, modern(1, "tools/list"))).message
    assert "check the secrets in the header X-Key" in message
    assert "it says: who are you?" in message


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html", b"<html>", "instead of application/json"),
        ("application/json", b"{}", "something else than an answer"),
        ("application/json", b"", "something else than an answer"),
    ],
)
async def test_a_200_without_an_answer_fails(content_type: str, body: bytes, text: str) -> None:
    """Nobody waits for what will not come."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(200, body, content_type=content_type)

    async with running(handle) as (pipe, _):
        assert text in (await refused(pipe, modern(1, "tools/list"))).message


# --- cancellation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", ["", "streaming"])
async def test_a_cancelled_request_drops_its_connection_and_no_more(streams: str) -> None:
    """Before the answer has begun, and while it streams. Nothing is posted: the drop says it."""
    arrived, dropped = trio.Event(), trio.Event()

    async def handle(exchange: Exchange) -> None:
        if b"subscriptions/listen" not in exchange.request.body:
            await answer(exchange)
            return
        if streams:
            await exchange.start(200, **EVENTS)
            await exchange.send(encode_event(encode(Notification("notifications/x"))))
        arrived.set()
        await exchange.until_closed()
        dropped.set()
        raise HangUp

    async with running(handle) as (pipe, server):
        pipe.send(modern(1, "subscriptions/listen"))
        await arrived.wait()
        if streams:
            await pipe.receive()
        pipe.send(cancelled(1))
        await dropped.wait()
        # After its end, too, and of what never was.
        pipe.send(cancelled(1))
        pipe.send(Notification("notifications/cancelled", msgspec.Raw(b"[]")))
        assert isinstance(await ask(pipe, modern(2, "tools/list")), Result)
        await wait_all_tasks_blocked()
        assert len(server.requests) == 2


async def test_the_era_of_each_request_is_its_own() -> None:
    """After a modern question, `initialize` opens a session as ever, with its stream and its goodbye."""
    speaks = McpOverHttp()
    listening, given_up = trio.Event(), trio.Event()

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            listening.set()
        if b"cancelled" in exchange.request.body:
            given_up.set()
        if b"server/discover" in exchange.request.body:
            await exchange.respond(400)
        else:
            await speaks(exchange)

    async with running(handle) as (pipe, server):
        assert isinstance(await ask(pipe, modern(1, "server/discover")), Failure)
        assert isinstance(await ask(pipe, Request(2, "initialize")), Result)
        pipe.send(Notification("notifications/initialized"))
        pipe.send(cancelled(1))
        assert isinstance(await ask(pipe, Request(3, "echo")), Result)
        await listening.wait()
        await given_up.wait()  # each message has a request of its own, and they overtake each other
        await pipe.aclose()
    methods = [seen.method for seen in server.requests]
    assert methods.count("GET") == 1
    assert methods[-1] == "DELETE"


@pytest.mark.parametrize("status", [400, 404, 405])
async def test_a_modern_question_leaves_the_older_transport_to_be_tried(status: int) -> None:
    """The answer to `initialize` decides, not the one before."""

    class Older(McpOverSse):
        async def __call__(self, exchange: Exchange) -> None:
            if exchange.request.method == "POST" and exchange.request.target == "/mcp":
                await exchange.respond(status)
            else:
                await super().__call__(exchange)

    async with running(Older(), kind=ProbePipe) as (pipe, _):
        assert isinstance(await ask(pipe, modern(1, "server/discover")), Failure)
        assert isinstance(await ask(pipe, Request(2, "initialize")), Result)


@pytest.mark.parametrize("number", [None, 0])
async def test_initialize_is_told_by_a_modern_server_that_it_is_one(number: int | None) -> None:
    """Its error is the answer, and HTTP+SSE is not tried."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(400, encode(Failure(number, -32022, "modern")), **JSON)

    async with running(handle, kind=ProbePipe) as (pipe, server):
        assert await ask(pipe, Request(0, "initialize")) == Failure(0, -32022, "modern")
    assert server.seen("GET") == []


# --- headers from arguments ---------------------------------------------------------------------------------------


def region(server_requests: list[Seen]) -> list[str | None]:
    """The header of each call that a server has seen."""
    calls = [seen for seen in server_requests if b"tools/call" in seen.body]
    return [seen.headers.get("mcp-param-region") for seen in calls]


async def test_a_list_that_passes_by_teaches_the_headers_of_calls() -> None:
    """The server is asked nothing more."""
    speaks = ModernOverHttp([tool("pick", "region")])
    async with running(speaks) as (pipe, server):
        assert isinstance(await ask(pipe, modern(1, "tools/list")), Result)
        call = modern(2, "tools/call", name="pick", arguments={"region": "eu"})
        assert isinstance(await ask(pipe, call), Result)
    assert len(server.requests) == 2
    assert region(server.requests) == ["eu"]


async def test_an_unknown_tool_makes_the_list_be_read_first() -> None:
    """All pages of it, in the name of the caller, once; its answers are nobody else's."""
    speaks = ModernOverHttp([tool("a"), tool("b"), tool("pick", "region")], page=1)
    async with running(speaks) as (pipe, server):
        for number in (1, 2):
            pipe.send(modern(number, "tools/call", name="pick", arguments={"region": "ä"}))
        answers = {(await pipe.receive()).id for _ in (1, 2)}  # type: ignore[union-attr] # answers have ids
        assert isinstance(await ask(pipe, modern(3, "tools/call", name="unlisted")), Failure)
    assert answers == {1, 2}
    lists = [seen for seen in server.requests if b"tools/list" in seen.body]
    assert len(lists) == 3
    assert all(b"clientCapabilities" in seen.body for seen in lists)
    assert region(server.requests)[:2] == [headers.encode_value("ä")] * 2


async def test_a_refused_call_is_sent_once_more_with_the_headers_of_now() -> None:
    """The tool was changed since its list was read."""
    speaks = ModernOverHttp([tool("pick")])
    async with running(speaks) as (pipe, server):
        await ask(pipe, modern(1, "tools/list"))
        speaks.tools = [tool("pick", "region")]
        call = modern(2, "tools/call", name="pick", arguments={"region": "eu"})
        assert isinstance(await ask(pipe, call), Result)
    assert region(server.requests) == [None, "eu"]


async def test_a_call_that_stays_refused_fails() -> None:
    """Sending the same again would change nothing."""
    speaks = ModernOverHttp([tool("pick")], refuses=True)
    async with running(speaks) as (pipe, server):
        failure = await refused(pipe, modern(1, "tools/call", name="pick"))
        assert failure.code == -32020
    assert len(region(server.requests)) == 1


async def test_a_call_that_is_refused_twice_fails() -> None:
    """Once more, and not again."""
    speaks = ModernOverHttp([tool("pick")], refuses=True)
    async with running(speaks) as (pipe, server):
        await ask(pipe, modern(1, "tools/list"))
        speaks.tools = [tool("pick", "region")]
        call = modern(2, "tools/call", name="pick", arguments={"region": "eu"})
        assert (await refused(pipe, call)).code == -32020
    assert region(server.requests) == [None, "eu"]


@pytest.mark.parametrize("said", [b"", b'{"jsonrpc":"2.0","error":{"code":-1,"message":"no"}}'])
async def test_a_list_that_cannot_be_read_does_not_stop_the_call(said: bytes) -> None:
    """Nor is it asked for again with each call."""

    async def handle(exchange: Exchange) -> None:
        if b"tools/list" in exchange.request.body:
            await exchange.respond(500, said, **JSON)
        else:
            await answer(exchange)

    async with running(handle) as (pipe, server):
        for number in (1, 2):
            assert isinstance(await ask(pipe, modern(number, "tools/call", name="x")), Result)
    assert len(server.requests) == 3


@pytest.mark.parametrize("result", [b"[]", b'{"tools":5}', b'{"tools":[{"name":1}]}'])
async def test_an_odd_list_is_for_whoever_asked(result: bytes) -> None:
    """The pipe passes it on and learns nothing from it."""

    async def handle(exchange: Exchange) -> None:
        await answer(exchange, result)

    async with running(handle) as (pipe, _):
        assert await ask(pipe, modern(1, "tools/list")) == Result(1, msgspec.Raw(result))
        assert isinstance(await ask(pipe, modern(2, "tools/call", name="x")), Result)


async def test_an_endless_list_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many pages, or where its cursors go in circles."""
    monkeypatch.setattr(limits, "MAX_LIST_PAGES", 5)
    pages = 0

    async def handle(exchange: Exchange) -> None:
        nonlocal pages
        if b"tools/list" in exchange.request.body:
            pages += 1
            await answer(exchange, b'{"tools":[],"nextCursor":"%d"}' % pages)
        else:
            await answer(exchange)

    async with running(handle) as (pipe, _):
        assert isinstance(await ask(pipe, modern(1, "tools/call", name="x")), Result)
    assert pages == 5


async def test_a_call_without_a_name_is_for_the_server_to_refuse() -> None:
    """It is posted as it is."""
    async with running(answer) as (pipe, server):
        assert isinstance(await ask(pipe, modern(1, "tools/call", name=5)), Result)
    assert len(server.requests) == 1
    assert "mcp-name" not in server.requests[0].headers


async def test_a_call_can_be_cancelled_while_the_list_is_read() -> None:
    """The next one reads it."""
    asked = trio.Event()

    async def handle(exchange: Exchange) -> None:
        if b"tools/list" in exchange.request.body and not asked.is_set():
            asked.set()
            await exchange.until_closed()
            raise HangUp
        await answer(exchange, b'{"tools":[]}')

    async with running(handle) as (pipe, server):
        pipe.send(modern(1, "tools/call", name="x"))
        await asked.wait()
        pipe.send(cancelled(1))
        assert isinstance(await ask(pipe, modern(2, "tools/call", name="x")), Result)
    assert [b"tools/list" in seen.body for seen in server.requests] == [True, True, False]


@pytest.mark.parametrize("method", ["tools/call", "server/discover"])
async def test_a_refusal_of_an_older_server_means_that_nobody_has_read_the_request(
    method: str,
) -> None:
    """It has taken the place of a modern one. A probe is told what it says; a call may go to it anew."""

    async def handle(exchange: Exchange) -> None:
        error = Failure("server-error", -32600, "Bad Request: Unsupported protocol version")
        await exchange.respond(400, encode(error), **JSON)

    async with running(handle) as (pipe, _):
        failure = await refused(pipe, modern(1, method, name="echo"))
        assert isinstance(failure, Untaken) == (method == "tools/call")
