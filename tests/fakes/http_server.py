"""An HTTP/1.1 server on loopback whose answers a test writes. Must not know MCP."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import h11
import msgspec
import trio

from gateway.limits import READ_CHUNK_BYTES

Headers = Mapping[str, str]


class Seen(msgspec.Struct, frozen=True):
    """A request as it came in. Header names are in lower case."""

    method: str
    target: str
    headers: Headers
    body: bytes


class Exchange:
    """One request and the answer to it."""

    def __init__(self, connection: h11.Connection, stream: trio.abc.Stream, request: Seen) -> None:
        self._connection = connection
        self._stream = stream
        self.request = request

    async def respond(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answers at once. Underscores in header names stand for hyphens."""
        await self.start(status, content_length=str(len(body)), **headers)
        if body:
            await self.send(body)
        await self.finish()

    async def start(self, status: int, **headers: str) -> None:
        """Sends the head of an answer whose body follows in pieces."""
        named = [
            (name.replace("_", "-").encode(), value.encode("latin-1"))
            for name, value in headers.items()
        ]
        await self._write(h11.Response(status_code=status, headers=named))

    async def send(self, data: bytes) -> None:
        """Sends a piece of the body."""
        await self._write(h11.Data(data=data))

    async def finish(self) -> None:
        """Ends the body."""
        await self._write(h11.EndOfMessage())

    async def until_closed(self) -> None:
        """Waits until the client drops the connection."""
        while await self._stream.receive_some():
            pass

    async def _write(self, event: h11.Event) -> None:
        data = self._connection.send(event)
        if data:
            await self._stream.send_all(data)


class HangUp(Exception):
    """Raised by a handler that wants the connection dropped, wherever the answer stands."""


Handler = Callable[[Exchange], Awaitable[None]]


class HttpServer:
    """A running server: what it was asked, and how many connections it took."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self.requests: list[Seen] = []
        self.connections = 0
        self.open_connections = 0
        self.port = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def seen(self, method: str) -> list[Seen]:
        """The requests of that HTTP method so far."""
        return [request for request in self.requests if request.method == method]

    async def serve_connection(self, stream: trio.abc.Stream) -> None:
        """Answers the requests of one connection until either side drops it."""
        self.connections += 1
        self.open_connections += 1
        if self._tls is not None:
            stream = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        try:
            async with stream:
                await self._converse(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, HangUp, h11.ProtocolError):
            pass
        finally:
            self.open_connections -= 1

    async def _converse(self, stream: trio.abc.Stream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=READ_CHUNK_BYTES)
        while (request := await _next_request(connection, stream)) is not None:
            self.requests.append(request)
            await self._handler(Exchange(connection, stream, request))
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()


@asynccontextmanager
async def serve(
    handler: Handler,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[HttpServer]:
    """A server on loopback, gone when the block ends; on a free port, unless it is named."""
    server = HttpServer(handler, tls=tls)
    async with trio.open_nursery() as nursery:
        open_loopback = partial(trio.serve_tcp, server.serve_connection, port, host=host)
        listeners = await nursery.start(open_loopback)
        server.port = listeners[0].socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()


async def _next_request(connection: h11.Connection, stream: trio.abc.Stream) -> Seen | None:
    """The next request with its body; None where the client has dropped the connection."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(READ_CHUNK_BYTES)))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode(): value.decode() for name, value in head.headers}
            return Seen(head.method.decode(), head.target.decode(), headers, bytes(body))
        else:
            return None
