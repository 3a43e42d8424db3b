"""Where a request's body ends, and what it holds. Pure; must not know sockets.

As strict as the check of the head: in chunks, too, parsers forgive different things.

Source: RFC 9112 §6.2 and §7.1.
"""

from __future__ import annotations

import re
from typing import Final, Literal, Protocol

from gateway import limits
from gateway.transports.head_check import FIELD, ONCE, CheckedHead
from gateway.transports.http import CLOSE, Refused

_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*+)?\r\n")
_LINE_END: Final = b"\r\n"


class BodyFraming(Protocol):
    """The body of one request as it comes."""

    @property
    def done(self) -> bool:
        """Whether all of it has come."""

    def feed(self, data: bytes) -> tuple[int, bytes]:
        """Takes the next bytes of the connection.

        Returns:
            How many of them belong to the body, and what these hold of its content.

        Raises:
            Refused: they are no body.
        """


def framing_of(head: CheckedHead) -> BodyFraming:
    """How the body after that head is framed."""
    return Chunked() if head.body_bytes is None else Sized(head.body_bytes)


class Sized:
    """A body of known length."""

    def __init__(self, body_bytes: int) -> None:
        self._left = body_bytes

    @property
    def done(self) -> bool:
        """Whether all of it has come."""
        return not self._left

    def feed(self, data: bytes) -> tuple[int, bytes]:
        """Takes as much as is missing."""
        content = data[: self._left]
        self._left -= len(content)
        return len(content), content


class Chunked:
    """A body in chunks. Extensions and trailers are passed over, as the standard asks, but have to be plain."""

    def __init__(self) -> None:
        self.done = False
        self._expected: Literal["size", "content", "gap", "trailer"] = "size"
        self._left = 0
        """What is missing of the chunk that has begun."""
        self._line = b""
        """The line that has begun."""
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> tuple[int, bytes]:
        """Takes chunks, up to the end of the last."""
        content: list[bytes] = []
        used = 0
        while used < len(data) and not self.done:
            if self._expected == "content":
                piece = data[used : used + self._left]
                content.append(piece)
                used += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._expected = "gap"
            else:
                used += self._take_line(data, used)
        return used, b"".join(content)

    def _take_line(self, data: bytes, start: int) -> int:
        end = data.find(b"\n", start) + 1
        piece = data[start:end] if end else data[start:]
        self._line += piece
        if self._expected == "gap" and not _LINE_END.startswith(self._line):
            raise _bad("a chunk is longer than it says")
        if len(self._line) > limits.HEAD_BYTES:
            raise _bad("too long")
        if end:
            line, self._line = self._line, b""
            self._end_line(line)
        return len(piece)

    def _end_line(self, line: bytes) -> None:
        match self._expected:
            case "size":
                size = _CHUNK.fullmatch(line)
                if size is None:
                    raise _bad("a chunk has no plain size")
                self._left = int(size[1], 16)
                self._expected = "content" if self._left else "trailer"
            case "gap":
                self._expected = "size"
            case _ if line == _LINE_END:
                self.done = True
            case _:
                self._check_trailer(line)

    def _check_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        field = FIELD.fullmatch(line)
        if field is None or field[1].lower() in ONCE or self._trailer_bytes > limits.HEAD_BYTES:
            raise _bad("a trailer is malformed")


def _bad(reason: str) -> Refused:
    return Refused(f"this is no plain chunked body: {reason}", status=400, headers=CLOSE)
