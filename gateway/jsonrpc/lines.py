"""Newline framing: a stream of bytes to frames. Must not know what a frame holds.

Source: MCP 2025-11-25, transports, "stdio".
"""

from __future__ import annotations

from gateway.errors import TooLong
from gateway.jsonrpc.edges import Edges


class LineSplitter:
    r"""Cuts chunks as they come into lines, without their ends (`\n` or `\r\n`); blank lines are skipped.

    A line longer than `max_bytes` is reported once, as soon as that is known, and skipped up to its end, when its edges
    are given; never more than `max_bytes` and one chunk are held. Each byte is looked at once, however small the chunks.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # The line that has begun and not ended; a bytearray, for it grows by many small pieces.
        self._begun = bytearray()
        # Whether the rest of a line already reported as too long is being skipped.
        self._skipping = False
        # The edges of that line, as far as they have come.
        self._edges = Edges(b"", b"")

    def feed(self, chunk: bytes) -> list[bytes | TooLong | Edges]:
        """Takes the next bytes of the stream and returns the lines that ended in it, with faults in their place."""
        *ended, begun = chunk.split(b"\n")
        found: list[bytes | TooLong | Edges] = []
        for piece in ended:
            self._end_line(piece, found)
        if self._skipping:
            self._edges = self._edges.extended(begun)
        else:
            self._begun += begun
            # One byte of grace for a CR whose LF may still come.
            if len(self._begun) > self._max_bytes + self._begun.endswith(b"\r"):
                self._skipping = True
                self._edges = Edges.of(self._begun)
                self._begun.clear()
                found.append(self._fault(self._edges))
        return found

    def rest(self) -> bytes:
        """Takes what has come of the line that has not ended; at the end of a stream it may be its last line."""
        rest = bytes(self._begun.removesuffix(b"\r"))
        self._begun.clear()
        return rest

    def _end_line(self, piece: bytes, found: list[bytes | TooLong | Edges]) -> None:
        """Adds the line that ends with `piece`, unless it is blank; one that is too long as what is known of it."""
        if self._skipping:
            self._skipping = False
            found.append(self._edges.extended(piece))
            return
        line = piece
        if self._begun:
            self._begun += piece
            line = bytes(self._begun)
            self._begun.clear()
        bare = line.removesuffix(b"\r")
        if len(bare) > self._max_bytes:
            edges = Edges.of(line)
            found += (self._fault(edges), edges)
        elif bare and not bare.isspace():
            found.append(bare)

    def _fault(self, edges: Edges) -> TooLong:
        return TooLong(
            f"A line is longer than {self._max_bytes} bytes; it was skipped.", begin=edges.begin
        )
