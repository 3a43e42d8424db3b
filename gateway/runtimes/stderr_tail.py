"""The last of what a server wrote on its stderr, and its lines as they come. Must not know where they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway import limits

LineSink = Callable[[str, str], None]
"""Takes a server's name and one line of its stderr, without the line's end. Must not block or raise."""

_LONGEST_LINE_BYTES: Final = 8 * 1024
"""A line is handed on at this length at the latest: a progress bar may never end its line."""


def discard_line(server: str, line: str) -> None:
    """The sink that shows nothing."""
    del server, line


class StderrTail:
    """A bounded tail of bytes, and a line splitter in front of a sink."""

    def __init__(self, server: str, sink: LineSink = discard_line) -> None:
        self._server = server
        self._sink = sink
        # The tail; allowed to grow to twice its size, so that cutting is rare.
        self._kept = bytearray()
        # The line that has not ended yet.
        self._line = b""

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._kept += chunk
        if len(self._kept) > 2 * limits.STDERR_TAIL_BYTES:
            del self._kept[: -limits.STDERR_TAIL_BYTES]
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            self._emit(line)
        while len(self._line) >= _LONGEST_LINE_BYTES:
            self._emit(self._line[:_LONGEST_LINE_BYTES])
            self._line = self._line[_LONGEST_LINE_BYTES:]

    def end(self) -> None:
        """Hands on a last line that has no end. Idempotent."""
        if self._line:
            self._emit(self._line)
            self._line = b""

    def text(self) -> str:
        """The tail, undecodable bytes replaced."""
        return self._kept[-limits.STDERR_TAIL_BYTES :].decode("utf-8", errors="replace")

    def _emit(self, line: bytes) -> None:
        self._sink(self._server, line.rstrip(b"\r").decode("utf-8", errors="replace"))
