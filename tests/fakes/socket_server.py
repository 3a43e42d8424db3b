"""A WebSocket server on loopback whose messages a test writes. Must not know MCP."""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio
import trio_websocket
from trio_websocket import WebSocketConnection, WebSocketRequest

from gateway import limits

Handler = Callable[[WebSocketConnection], Awaitable[None]]


class SocketServer:
    """A running server: the requests that it was sent, and its port."""

    def __init__(
        self, handler: Handler, *, tls: ssl.SSLContext | None, subprotocol: str | None
    ) -> None:
        self._handler = handler
        self._tls = tls
        self._subprotocol = subprotocol
        self.requests: list[WebSocketRequest] = []
        self.refuses: tuple[int, Sequence[tuple[bytes, bytes]], bytes] | None = None
        """Status, headers and body with which openings are refused; None where they are accepted."""
        self.refuses_next = math.inf
        """How many of them are."""
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/mcp"

    async def serve_connection(self, stream: trio.SocketStream) -> None:
        """Opens a WebSocket and hands it over."""
        secured = (
            trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
            if self._tls
            else stream
        )
        try:
            async with stream, trio.open_nursery() as nursery:
                request = await trio_websocket.wrap_server_stream(nursery, secured)
                self.requests.append(request)
                await self._answer(request)
                nursery.cancel_scope.cancel()
        except* (trio_websocket.ConnectionClosed, trio.BrokenResourceError):
            pass

    async def _answer(self, request: WebSocketRequest) -> None:
        if self.refuses is not None and self.refuses_next > 0:
            self.refuses_next -= 1
            status, headers, body = self.refuses
            await request.reject(status, extra_headers=list(headers), body=body)
            return
        connection = await request.accept(subprotocol=self._subprotocol)
        connection._max_message_size = limits.MAX_FRAME_BYTES
        await self._handler(connection)
        await connection.aclose()


@asynccontextmanager
async def serve_socket(
    handler: Handler, *, tls: ssl.SSLContext | None = None, subprotocol: str | None = "mcp"
) -> AsyncIterator[SocketServer]:
    """A server on a free port of loopback, gone when the block ends."""
    server = SocketServer(handler, tls=tls, subprotocol=subprotocol)
    async with trio.open_nursery() as nursery:
        open_loopback = partial(trio.serve_tcp, server.serve_connection, 0, host="127.0.0.1")
        listeners = await nursery.start(open_loopback)
        server.port = listeners[0].socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()
