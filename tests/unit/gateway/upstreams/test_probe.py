"""Which of the two HTTP transports a server speaks."""

from __future__ import annotations

import pytest

from gateway.catalog.model import RemoteLaunch
from gateway.errors import Gone
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.messages import Failure, Result
from gateway.upstreams import open_remote
from gateway.upstreams.probe import ProbePipe
from gateway.upstreams.sse import SsePipe
from tests.fakes.http_server import Exchange
from tests.fakes.mcp_server import McpOverHttp, McpOverSse
from tests.unit.gateway.upstreams.running import call, running


async def test_the_launch_names_the_kind() -> None:
    """`sse` is taken at its word; `streamable-http` is probed."""
    url = "https://mcp.example/sse"
    sse = RemoteLaunch(url=url, transport="sse")
    assert isinstance(await open_remote(sse, server="x"), SsePipe)
    newer = RemoteLaunch(url=url, transport="streamable-http")
    assert isinstance(await open_remote(newer, server="x"), ProbePipe)


async def test_streamable_http_is_used_where_it_is_spoken() -> None:
    """One POST, no further question."""
    async with running(McpOverHttp(), kind=ProbePipe) as (pipe, server):
        assert isinstance(await call(pipe, 0, "initialize"), Result)
    assert [request.method for request in server.requests] == ["POST", "DELETE"]


@pytest.mark.parametrize("status", [400, 404, 405])
async def test_an_older_server_is_asked_again_in_its_own_way(status: int) -> None:
    """The same `initialize`, over HTTP+SSE."""

    class Older(McpOverSse):
        async def __call__(self, exchange: Exchange) -> None:
            if exchange.request.method == "POST" and exchange.request.target == "/mcp":
                await exchange.respond(status)
            else:
                await super().__call__(exchange)

    async with running(Older(), kind=ProbePipe) as (pipe, _):
        assert isinstance(await call(pipe, 0, "initialize"), Result)
        assert isinstance(await call(pipe, 1, "echo"), Result)
        assert "SsePipe" in repr(pipe)


@pytest.mark.parametrize("status", [401, 500])
async def test_other_errors_are_errors(status: int) -> None:
    """Wrong credentials do not make a server old."""

    async def handle(exchange: Exchange) -> None:
        await exchange.respond(status)

    async with running(handle, kind=ProbePipe) as (pipe, server):
        failure = await call(pipe, 0, "initialize")
        assert isinstance(failure, Failure)
        assert str(status) in failure.message
    assert server.seen("GET") == []


async def test_an_answer_is_an_answer() -> None:
    """A 400 that carries the JSON-RPC error of our request is no sign of age."""

    async def handle(exchange: Exchange) -> None:
        body = encode(Failure(0, -32602, "unsupported version"))
        await exchange.respond(400, body, content_type="application/json")

    async with running(handle, kind=ProbePipe) as (pipe, _):
        assert await call(pipe, 0, "initialize") == Failure(0, -32602, "unsupported version")


async def test_what_speaks_neither_is_told_with_both_reasons() -> None:
    """A web page, say."""

    async def handle(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            await exchange.respond(405)
        else:
            await exchange.respond(200, b"<html>", content_type="text/html")

    async with running(handle, kind=ProbePipe) as (pipe, _):
        with pytest.raises(Gone, match=r"no MCP endpoint.*; and as HTTP\+SSE: .*no event stream"):
            await call(pipe, 0, "initialize")
