"""Server-sent events, written and read. Must not know HTTP, nor what an event's data mean.

Source: WHATWG HTML, §9.2.5 "Parsing an event stream" and §9.2.6 "Interpreting an event stream".
"""

from __future__ import annotations

import codecs
import re
from typing import Final

import msgspec

from gateway.errors import TooLong
from gateway.limits import FRAME_EDGE_BYTES

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_MAX_RETRY_DIGITS: Final = 9
"""Digits of a reconnection time in milliseconds that are believed: eleven days."""


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event as a reader sees it.

    `id` is the last event id in force (it stays until another is set); `retry` the reconnection time in milliseconds,
    None where this event did not set it.
    """

    event: str
    data: bytes
    id: str = ""
    retry: int | None = None


def encode_event(frame: bytes, *, event: str = "message", id: str | None = None) -> bytes:  # noqa: A002 -- the field's name in the standard
    """One event whose data is `frame`; line breaks within it become further `data` lines, never another event.

    `event` and `id` are ours and hold no line breaks.
    """
    lines = [f"event: {event}\n".encode()]
    if id is not None:
        lines.append(f"id: {id}\n".encode())
    if b"\n" in frame or b"\r" in frame:
        lines += [b"data: %b\n" % line for line in _LINE_END.split(frame)]
    else:
        lines.append(b"data: %b\n" % frame)
    lines.append(b"\n")
    return b"".join(lines)


def comment(text: str) -> bytes:
    """A block that readers ignore: keeps a quiet connection open. `text` is ours and holds no line breaks."""
    return f": {text}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """A block that tells the reader how long to wait before it reconnects."""
    return f"retry: {milliseconds}\n\n".encode()


class EventSplitter:
    """Cuts chunks of an event stream, as they come, into events.

    An event whose data, or one of whose lines, is longer than `max_bytes` is reported once, as soon as that is known, and skipped
    up to its end; never more than twice that and one chunk are held. Each byte is looked at once.
    """

    last_event_id: str
    """The last event id in force, for `Last-Event-ID`; set by blocks without data too."""
    retry_ms: int | None
    """The reconnection time in force, None before one was set."""

    def __init__(self, max_bytes: int) -> None:
        self.last_event_id = ""
        self.retry_ms = None
        self._max_bytes = max_bytes
        # The line that has begun and not ended.
        self._begun = bytearray()
        # Whether the last chunk ended in CR: an LF at the start of the next one belongs to it.
        self._after_cr = False
        # Whether no line has ended yet: only the first may carry a byte order mark.
        self._at_start = True
        # Whether the rest of an event already reported as too long is being skipped.
        self._skipping = False
        # The fields of the event that has begun, and the bytes of its data.
        self._event = ""
        self._data: list[bytes] = []
        self._retry: int | None = None
        self._held_bytes = 0

    def feed(self, chunk: bytes) -> list[ServerSentEvent | TooLong]:
        """Takes the next bytes of the stream and returns the events that ended in it, with faults in their place."""
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            self._after_cr = False
            return self.feed(chunk[1:])
        self._after_cr = chunk.endswith(b"\r")
        *ended, begun = _LINE_END.split(chunk)
        found: list[ServerSentEvent | TooLong] = []
        for piece in ended:
            self._begun += piece
            happened = self._end_line()
            if happened is not None:
                found.append(happened)
        self._begun += begun
        if self._is_too_long():
            found.append(self._skip())
        if self._skipping:
            del self._begun[1:]  # all that matters is whether this line is blank
        return found

    def _end_line(self) -> ServerSentEvent | TooLong | None:
        """Takes the line that has just ended; the event or fault that it brings, if any."""
        line = bytes(self._begun)
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line:
            self._begun.clear()
            return self._dispatch()
        fault = self._skip() if self._is_too_long() else None
        self._begun.clear()
        if not self._skipping:
            self._take_field(line)
        return fault

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._held_bytes += len(value) + 1
            case b"event":
                self._event = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self.last_event_id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                self._retry = self.retry_ms = int(value)
            case _:  # a comment, or a field that the standard says to ignore
                pass

    def _dispatch(self) -> ServerSentEvent | None:
        """Ends the event that has begun; None where it has no data, or is being skipped."""
        event = None
        if self._data and not self._skipping:
            data = b"\n".join(self._data)
            event = ServerSentEvent(self._event or "message", data, self.last_event_id, self._retry)
        self._forget()
        self._skipping = False
        return event

    def _is_too_long(self) -> bool:
        return not self._skipping and self._held_bytes + len(self._begun) > self._max_bytes

    def _skip(self) -> TooLong:
        begin = self._data[0] if self._data else _data_in(self._begun)
        self._skipping = True
        self._forget()
        return TooLong(
            f"An event is longer than {self._max_bytes} bytes; it was skipped.",
            begin=begin[:FRAME_EDGE_BYTES],
        )

    def _forget(self) -> None:
        self._event = ""
        self._data = []
        self._retry = None
        self._held_bytes = 0


def _data_in(line: bytearray) -> bytes:
    """The beginning of the data in a line that has begun, b"" where it is another field."""
    name, _, value = bytes(line[: 2 * FRAME_EDGE_BYTES]).partition(b":")
    return value.removeprefix(b" ") if name == b"data" else b""
