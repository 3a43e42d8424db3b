"""What HTTP answers are made of, and what it takes to give one. Pure; must not know MCP, nor any server.

Source: RFC 9110 §12.5.1 (Accept).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from gateway import limits
from gateway.errors import ClientFault

if TYPE_CHECKING:
    from gateway.transports.request_head import RequestHead

Headers = tuple[tuple[bytes, bytes], ...]

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

CLOSE: Final[Headers] = ((b"connection", b"close"),)
EVENT_HEADERS: Final[Headers] = (
    (b"content-type", EVENTS.encode()),
    (b"cache-control", b"no-store"),
    # nginx would otherwise hold the events back until its buffer is full
    (b"x-accel-buffering", b"no"),
)
"""What the answer of every event stream says of itself."""


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

    def fields(self, extra: Headers) -> list[tuple[bytes, bytes]]:
        """All its headers, and `extra` after them."""
        fields = list(self.headers)
        if self.content_type:
            fields.append((b"content-type", self.content_type.encode("latin-1")))
        fields.append((b"content-length", b"%d" % len(self.body)))
        fields.extend(extra)
        return fields


class Accepted(msgspec.Struct, frozen=True):
    """The media types of an Accept header that we have to offer."""

    json: bool
    events: bool
    named: frozenset[str]
    """The types that are spelled out: a browser's `*/*` does not ask for an event stream."""


class EventSink(Protocol):
    """Where an event stream goes."""

    async def start(self, headers: Headers) -> None:
        """Begins an event stream; `write` and `end` follow."""

    async def write(self, chunk: bytes) -> None:
        """Sends a piece of the stream. Returns also when the client is gone; waits while it does not read."""

    async def end(self) -> None:
        """Ends the stream well. A stream left without it breaks the connection, which tells the client the same."""

    async def disconnected(self) -> None:
        """Until the client has disconnected. Only after the body was read."""


class HttpCall(EventSink, Protocol):
    """One request and its answer. Exactly one of `respond` and `start` is called, once."""

    @property
    def head(self) -> RequestHead:
        """What was asked."""

    async def respond(self, reply: Reply) -> None:
        """Sends a whole answer."""


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


def too_long(max_bytes: int) -> Refused:
    """What is said to a body of more than `max_bytes`."""
    return Refused(
        f"the request body is longer than {max_bytes // limits.MIB} MiB", status=413, headers=CLOSE
    )


def stalled() -> Refused:
    """What is said to a body that stops arriving."""
    return Refused(
        f"the request body stopped arriving for {limits.BODY_STALL_S:g} s",
        status=408,
        headers=CLOSE,
    )


def _is_refusal(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in {"", "0."}
