"""Reads HTTP/1.1 responses from bytes, as far as load clients need it. No I/O."""

from __future__ import annotations

import msgspec

from bench.errors import Broken


class Response(msgspec.Struct, frozen=True):
    """A complete response; header names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Dechunker:
    """Takes the chunk framing off a body."""

    def __init__(self) -> None:
        self._rest = b""
        self.ended = False

    def feed(self, content: bytes) -> bytes:
        """The body's bytes of all chunks that are complete by now. Trailers are not understood."""
        buffer = self._rest + content
        parts: list[bytes] = []
        at = 0
        while not self.ended:
            line_end = buffer.find(b"\r\n", at)
            if line_end < 0:
                break
            size = int(buffer[at:line_end].partition(b";")[0], 16)
            begin, end = line_end + 2, line_end + 2 + size
            if len(buffer) < end + 2:
                break
            parts.append(buffer[begin:end])
            at = end + 2
            self.ended = not size
        self._rest = buffer[at:]
        return b"".join(parts)


class ResponseReader:
    """Reads responses one after the other; requests are not pipelined."""

    def __init__(self) -> None:
        self._buffer = b""
        self._head: tuple[int, dict[bytes, bytes]] | None = None
        self._chunks: Dechunker | None = None
        self._parts: list[bytes] = []

    def feed(self, content: bytes) -> Response | None:
        """The response that these bytes complete, or None."""
        self._buffer += content
        if self._head is None:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return None
            self._head = parse_head(head)
            self._buffer = rest
            if self._head[1].get(b"transfer-encoding") == b"chunked":
                self._chunks = Dechunker()
        status, headers = self._head
        body = self._body(headers)
        if body is None:
            return None
        self._head = self._chunks = None
        return Response(status, headers, body)

    def _body(self, headers: dict[bytes, bytes]) -> bytes | None:
        """The body, once it is complete."""
        if self._chunks is None:
            length = int(headers.get(b"content-length", b"0"))
            if len(self._buffer) < length:
                return None
            body, self._buffer = self._buffer[:length], self._buffer[length:]
            return body
        self._parts.append(self._chunks.feed(self._buffer))
        self._buffer = b""
        if not self._chunks.ended:
            return None
        body, self._parts = b"".join(self._parts), []
        return body


def parse_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    """Status and headers."""
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ")
    if len(words) < 2 or not words[1].isdigit():
        raise Broken(f"no HTTP response: {first[:100]!r}")
    fields = (line.partition(b":") for line in lines)
    return int(words[1]), {name.lower(): value.strip() for name, _, value in fields}
