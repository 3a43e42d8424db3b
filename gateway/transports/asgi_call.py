"""One HTTP request and its answer, over ASGI. Must not know MCP.

The only place that touches ASGI's dictionaries of HTTP, and the one that knows what it takes to refuse a request whose
body is still under way: a server that closes at once makes the kernel throw its own answer away.

Source: ASGI 3.0, HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import trio

from gateway import limits
from gateway.telemetry.refusals import refused
from gateway.transports.http import EVENT_HEADERS, ClientLeft, Headers, Reply, stalled, too_long
from gateway.transports.request_head import RequestHead

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
"""An ASGI 3 application."""


class AsgiCall:
    """Implements `HttpCall`."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.head = RequestHead.of_scope(scope)
        self.started = False
        """Whether an answer is under way: then no other can be given."""
        self._receive = receive
        self._send = send
        self._body_read = (
            self.head.headers.get(b"content-length") is None
            and self.head.headers.get(b"transfer-encoding") is None
        )

    async def body(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            Refused: it is longer than `max_bytes` (found out before all of it is read), or stopped arriving.
            ClientLeft: the client disconnected in the middle of it.
        """
        declared = self.head.headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > max_bytes:
            refused("from_clients.MAX_FRAME_BYTES")
            raise too_long(max_bytes)
        pieces: list[bytes] = []
        size = 0
        with trio.CancelScope() as stall:
            while True:
                stall.deadline = trio.current_time() + limits.BODY_STALL_S
                event = await self._receive()
                if event["type"] == "http.disconnect":
                    raise ClientLeft
                pieces.append(event.get("body", b""))
                size += len(pieces[-1])
                if size > max_bytes:
                    refused("from_clients.MAX_FRAME_BYTES")
                    raise too_long(max_bytes)
                if not event.get("more_body", False):
                    self._body_read = True
                    return b"".join(pieces)
        refused("from_clients.BODY_STALL_S")
        raise stalled()

    async def respond(self, reply: Reply) -> None:
        """Sends a whole answer. What is left of the request's body is read for a while and thrown away."""
        await self._begin(reply.status, reply.fields(self.head.extra_headers))
        if self._body_read:
            await self._write(reply.body, more=False)
        else:
            await self._write(reply.body, more=True)
            await self._linger()

    async def start(self, headers: Headers) -> None:
        """Begins an event stream; `write` and `end` follow."""
        await self._begin(200, (*EVENT_HEADERS, *headers, *self.head.extra_headers))

    async def write(self, chunk: bytes) -> None:
        """Sends a piece of the stream. Returns also when the client is gone; waits while it does not read."""
        await self._write(chunk, more=True)

    async def end(self) -> None:
        """Ends the stream well. A stream left without it breaks the connection, which tells the client the same."""
        await self._write(b"", more=False)

    async def disconnected(self) -> None:
        """Until the client has disconnected. Only after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )

    async def _write(self, chunk: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _linger(self) -> None:
        """Ends an answer that was given before the request was whole.

        The rest of the body is taken in for a moment: closing a socket with unread bytes resets the connection, and the
        client may lose the answer that is on its way. It is read on while the answer ends, too, because the server's
        queue of body pieces is bounded and ending the answer puts one more thing into it.
        """
        with trio.move_on_after(limits.LINGER_S):
            while not self._body_read:
                event = await self._receive()
                if event["type"] == "http.disconnect":
                    return
                self._body_read = not event.get("more_body", False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.disconnected)
            await self._write(b"", more=False)
            nursery.cancel_scope.cancel()
