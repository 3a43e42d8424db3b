"""One HTTP request and its answer, over ASGI. Must not know MCP.

The only place that touches ASGI's dictionaries, and the one that knows what it takes to refuse a request whose body is
still under way: a server that closes at once makes the kernel throw its own answer away.

Source: ASGI 3.0, HTTP; RFC 9110 §12.5.1 (Accept).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

import msgspec
import trio

from gateway import limits
from gateway.errors import ClientFault
from gateway.transports.request_head import RequestHead

Headers = tuple[tuple[bytes, bytes], ...]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
"""An ASGI 3 application."""

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

CLOSE: Final[Headers] = ((b"connection", b"close"),)


class ClientLeft(Exception):
    """The client disconnected before its request was whole. Nobody is left to answer."""


class Refused(ClientFault):
    """A request refused for what it is as HTTP. The status is the message."""

    def __init__(self, message: str, *, status: int, headers: Headers = ()) -> None:
        super().__init__(message)
        self.http_status = status
        self.headers = headers


class Reply(msgspec.Struct, frozen=True):
    """A whole answer. `content_type` is "" where there is no body."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Headers = ()


class Accepted(msgspec.Struct, frozen=True):
    """The media types of an Accept header that we have to offer."""

    json: bool
    events: bool
    named: frozenset[str]
    """The types that are spelled out: a browser's `*/*` does not ask for an event stream."""


class HttpCall(RequestHead):
    """One request and its answer. Exactly one of `respond` and `start` is called, once."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self.method: str = scope["method"]
        self.extra_headers: Headers = ()
        """Headers of whatever answer there will be (CORS)."""
        self.started = False
        """Whether an answer is under way: then no other can be given."""
        self._receive = receive
        self._send = send
        self._body_read = not (
            b"content-length" in self._headers or b"transfer-encoding" in self._headers
        )

    def accepted(self) -> Accepted:
        """What the client wants to read; everything where it does not say."""
        return parse_accept(self.text(b"accept"))

    def content_type(self) -> str:
        """The media type of the body, without parameters, in lower case."""
        return (self.text(b"content-type") or "").partition(";")[0].strip().lower()

    async def body(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            Refused: it is longer than `max_bytes` (found out before all of it is read), or stopped arriving.
            ClientLeft: the client disconnected in the middle of it.
        """
        declared = self.header(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > max_bytes:
            raise _too_long(max_bytes)
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
                    raise _too_long(max_bytes)
                if not event.get("more_body", False):
                    self._body_read = True
                    return b"".join(pieces)
        raise Refused(
            f"the request body stopped arriving for {limits.BODY_STALL_S:g} s",
            status=408,
            headers=CLOSE,
        )

    async def respond(self, reply: Reply) -> None:
        """Sends a whole answer. What is left of the request's body is read for a while and thrown away."""
        headers = list(reply.headers)
        if reply.content_type:
            headers.append((b"content-type", reply.content_type.encode("latin-1")))
        headers.append((b"content-length", b"%d" % len(reply.body)))
        await self._begin(reply.status, headers)
        if self._body_read:
            await self._write(reply.body, more=False)
        else:
            await self._write(reply.body, more=True)
            await self._linger()

    async def start(self, headers: Headers) -> None:
        """Begins an event stream; `write` and `end` follow."""
        await self._begin(
            200,
            [
                (b"content-type", EVENTS.encode()),
                (b"cache-control", b"no-store"),
                # nginx would otherwise hold the events back until its buffer is full
                (b"x-accel-buffering", b"no"),
                *headers,
            ],
        )

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
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, *self.extra_headers],
            }
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


def parse_accept(header: str | None) -> Accepted:
    """Reads an Accept header. Ranges with `q=0` are refusals; other preferences do not matter between our two."""
    if header is None or not header.strip():
        return Accepted(json=True, events=True, named=frozenset())
    wanted = set()
    for item in header.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        if not any(_is_refusal(parameter) for parameter in parameters):
            wanted.add(media)
    return Accepted(
        json=not wanted.isdisjoint({JSON, "application/*", "*/*"}),
        events=not wanted.isdisjoint({EVENTS, "text/*", "*/*"}),
        named=frozenset(wanted),
    )


def _is_refusal(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in {"", "0."}


def _too_long(max_bytes: int) -> Refused:
    return Refused(
        f"the request body is longer than {max_bytes // limits.MIB} MiB", status=413, headers=CLOSE
    )
