"""HTTP+SSE as a client: the endpoint, what is refused, and how it ends."""

from __future__ import annotations

import pytest

from gateway.errors import Gone
from gateway.jsonrpc.messages import Failure, Notification, OutcomeUnknown, Request, Result, Untaken
from gateway.jsonrpc.sse import encode_event
from gateway.upstreams.sse import SsePipe
from tests.fakes.http_server import Exchange, HangUp
from tests.fakes.mcp_server import McpOverSse
from tests.unit.gateway.upstreams.running import call, running


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("messages?session=1", "/messages?session=1"),
        ("/m?session=2", "/m?session=2"),
        ("?session=3", "/mcp?session=3"),
    ],
)
async def test_messages_go_to_the_endpoint(endpoint: str, target: str) -> None:
    """Seen from the stream's address; the entry's headers go with every request."""
    async with running(McpOverSse(endpoint), kind=SsePipe, headers={"X-Key": "k"}) as (
        pipe,
        server,
    ):
        await call(pipe)
    assert [request.target for request in server.requests] == ["/mcp", target]
    assert {request.headers["x-key"] for request in server.requests} == {"k"}


@pytest.mark.parametrize(
    "endpoint", ["http://elsewhere.example/m", "//elsewhere.example/m", "file:///m"]
)
async def test_an_endpoint_elsewhere_is_refused(endpoint: str) -> None:
    """The headers hold secrets: nobody else gets them."""
    async with running(McpOverSse(endpoint), kind=SsePipe) as (pipe, server):
        pipe.send(Request(1, "ping"))
        with pytest.raises(Gone, match="another origin"):
            await pipe.receive()
    assert server.seen("POST") == []


@pytest.mark.parametrize(
    ("status", "content_type", "text"),
    [
        (401, "text/plain", "refuses the credentials"),
        (405, "text/plain", "no MCP endpoint"),
        (200, "text/html", "offers no event stream"),
    ],
)
async def test_what_is_no_stream_ends_the_pipe(status: int, content_type: str, text: str) -> None:
    """With a sentence on what to do."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(status, b"no", content_type=content_type)

    async with running(handle, kind=SsePipe) as (pipe, _):
        with pytest.raises(Gone, match=text):
            await pipe.receive()


async def test_a_stream_without_an_endpoint_ends_the_pipe() -> None:
    """Nobody knows where to post."""

    async def handle(exchange: Exchange) -> None:
        await exchange.start(200, content_type="text/event-stream")
        await exchange.send(encode_event(b"{}"))
        await exchange.finish()

    async with running(handle, kind=SsePipe) as (pipe, _):
        with pytest.raises(Gone, match="before it named its endpoint"):
            await pipe.receive()


async def test_a_request_that_is_not_taken_fails_alone() -> None:
    """Others go on; a notification is only logged."""

    class Picky(McpOverSse):
        async def __call__(self, exchange: Exchange) -> None:
            if b'"no' in exchange.request.body:
                await exchange.respond(500)
            else:
                await super().__call__(exchange)

    async with running(Picky(), kind=SsePipe) as (pipe, _):
        pipe.send(Notification("notifications/x"))
        failure = await call(pipe, 1, "no")
        assert isinstance(failure, Failure)
        assert "500" in failure.message
        await call(pipe, 2, "echo")


async def test_a_forgotten_session_takes_nothing_more() -> None:
    """404 on a message, while the stream is still open: what is in flight may still be answered there."""

    class Forgetful(McpOverSse):
        async def __call__(self, exchange: Exchange) -> None:
            if exchange.request.method == "POST":
                await exchange.respond(404)
            else:
                await super().__call__(exchange)

    async with running(Forgetful(), kind=SsePipe) as (pipe, _):
        message = await call(pipe)
        assert isinstance(message, Untaken)
        assert "has ended the session" in message.message
        with pytest.raises(Gone, match="has ended the session"):
            pipe.send(Request(2, "ping"))


async def test_a_message_whose_connection_breaks_may_have_been_taken() -> None:
    """Its request fails, with its outcome unknown; others go on."""

    class Rude(McpOverSse):
        async def __call__(self, exchange: Exchange) -> None:
            if b'"rude"' in exchange.request.body:
                raise HangUp
            await super().__call__(exchange)

    async with running(Rude(), kind=SsePipe) as (pipe, _):
        message = await call(pipe, 1, "rude")
        assert isinstance(message, OutcomeUnknown)
        assert message.id == 1
        assert "the outcome is unknown" in message.message
        assert isinstance(await call(pipe, 2, "echo"), Result)


async def test_the_end_of_the_stream_is_the_end() -> None:
    """There is no resuming."""
    speaks = McpOverSse()
    async with running(speaks, kind=SsePipe) as (pipe, _):
        await call(pipe)
        speaks.hang_up()
        with pytest.raises(Gone, match="has closed the connection"):
            await pipe.receive()
