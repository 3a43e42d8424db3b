"""A pipe at work against a server whose answers the test writes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec
import trio

from gateway.catalog.model import RemoteLaunch
from gateway.jsonrpc.codec import decode, encode, raw
from gateway.jsonrpc.messages import Failure, Message, Request, Result
from gateway.ports import MessagePipe
from gateway.upstreams.http import HttpPipe
from tests.fakes.http_server import Exchange, Handler, HttpServer, serve
from tests.fakes.mcp_server import HELLO

PATIENCE_S = 5


@asynccontextmanager
async def running(
    handler: Handler,
    *,
    kind: Callable[..., MessagePipe] = HttpPipe,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[MessagePipe, HttpServer]]:
    """The pipe, and the server at its other end; both gone after the block."""
    with trio.fail_after(PATIENCE_S):
        async with serve(handler, tls=tls) as server, trio.open_nursery() as nursery:
            launch = RemoteLaunch(
                url=server.origin + "/mcp", transport="streamable-http", headers=headers or {}
            )
            pipe = kind(launch, server="fake")
            nursery.start_soon(pipe.run)
            try:
                yield pipe, server
            finally:
                await pipe.aclose()


async def call(pipe: MessagePipe, number: int = 1, method: str = "tools/call") -> Message:
    """Sends a request and returns the next message."""
    pipe.send(Request(number, method, msgspec.Raw(b"{}")))
    return await pipe.receive()


def modern(number: int, method: str, **members: object) -> Request:
    """A request of the modern era."""
    said = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    return Request(number, method, raw({"_meta": said, **members}))


async def failed(pipe: MessagePipe, number: int = 1) -> Failure:
    """Sends a request that fails."""
    message = await call(pipe, number)
    assert isinstance(message, Failure)
    assert message.id == number
    return message


def result_frame(exchange: Exchange, result: bytes = b"{}") -> bytes:
    """The answer to the request that an exchange carries."""
    request = decode(exchange.request.body)
    assert isinstance(request, Request)
    return encode(Result(request.id, msgspec.Raw(result)))


async def answer(exchange: Exchange, result: bytes = b"{}", **headers: str) -> None:
    """Answers a request with JSON, a notification with 202, the end of a session with 204."""
    if exchange.request.method == "DELETE":
        await exchange.respond(204)
        return
    message = decode(exchange.request.body)
    if isinstance(message, Request):
        result = bytes(HELLO) if message.method == "initialize" else result
        frame = result_frame(exchange, result)
        await exchange.respond(200, frame, content_type="application/json", **headers)
    else:
        await exchange.respond(202)
