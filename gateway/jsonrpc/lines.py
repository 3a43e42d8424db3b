"""Newline framing: a stream of bytes to frames. Must not know what a frame holds.

Source: MCP 2025-11-25, transports, "stdio".
"""

from __future__ import annotations

from gateway.errors import Malformed
from gateway.jsonrpc.codec import PARSE_ERROR


class LineSplitter:
    r"""Cuts chunks as they come into lines, without their ends (`\n` or `\r\n`); blank lines are skipped.

    A line longer than `max_bytes` is reported once, as soon as that is known, and skipped up to its end; never more
    than `max_bytes` and one chunk are held. Each byte is looked at once, however small the chunks.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # The line that has begun and not ended; a bytearray, for it grows by many small pieces.
        self._begun = bytearray()
        # Whether the rest of a line already reported as too long is being skipped.
        self._skipping = False

    def feed(self, chunk: bytes) -> list[bytes | Malformed]:
        """Takes the next bytes of the stream and returns the lines that ended in it, with faults in their place."""
        *ended, begun = chunk.split(b"\n")
        found: list[bytes | Malformed] = []
        for piece in ended:
            line = self._end_line(piece)
            if line is not None:
                found.append(line)
        if not self._skipping:
            self._begun += begun
            # One byte of grace for a CR whose LF may still come.
            if len(self._begun) > self._max_bytes + self._begun.endswith(b"\r"):
                self._skipping = True
                self._begun.clear()
                found.append(self._fault())
        return found

    def rest(self) -> bytes:
        """What has come of the line that has not ended; at the end of a stream it may be its last line."""
        return bytes(self._begun.removesuffix(b"\r"))

    def _end_line(self, piece: bytes) -> bytes | Malformed | None:
        """The line that ends with `piece`; None where it is blank, or was reported when it grew too long."""
        if self._skipping:
            self._skipping = False
            return None
        line = piece
        if self._begun:
            self._begun += piece
            line = bytes(self._begun)
            self._begun.clear()
        line = line.removesuffix(b"\r")
        if len(line) > self._max_bytes:
            return self._fault()
        return None if not line or line.isspace() else line

    def _fault(self) -> Malformed:
        return Malformed(
            f"A line is longer than {self._max_bytes} bytes; it was skipped.", code=PARSE_ERROR
        )
