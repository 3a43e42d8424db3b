"""Takes the engine's multiplexed attach stream apart. Must not know sockets, or what the bytes mean.

Each frame is 8 bytes of header (stream number, three zeros, length as big-endian uint32) and a payload.
Source: Docker Engine API, "Attach to a container", section "Stream format".
"""

from __future__ import annotations

from typing import Final

STDOUT: Final = 1
STDERR: Final = 2
_SYSTEM_ERROR: Final = 3
"""The engine's own complaint about the stream; shown as stderr."""
_HEADER_BYTES: Final = 8
_STDOUT_START: Final = b"\1\0\0\0"


class BrokenStream(ValueError):
    """The bytes are not frames of stdout and stderr (a container with a terminal sends such)."""


class Demultiplexer:
    """Splits frames into stdout and stderr; frames may arrive cut anywhere, and be of any length."""

    def __init__(self) -> None:
        # Bytes of a header that has not arrived as a whole.
        self._header = b""
        # The frame we are in: its stream, and how much of it is still to come.
        self._stream = STDOUT
        self._remaining = 0

    def feed(self, chunk: bytes) -> tuple[bytes, bytes]:
        """The stdout and the stderr bytes in the next `chunk` of the stream.

        Raises:
            BrokenStream: the stream cannot be understood; nothing more can be read from it.
        """
        # The usual case, one whole answer in one frame, costs one slice.
        if (
            not self._remaining
            and not self._header
            and len(chunk) >= _HEADER_BYTES
            and chunk[:4] == _STDOUT_START
            and int.from_bytes(chunk[4:8], "big") == len(chunk) - _HEADER_BYTES
        ):
            return chunk[_HEADER_BYTES:], b""
        return self._split(chunk)

    def _split(self, chunk: bytes) -> tuple[bytes, bytes]:
        out: list[bytes] = []
        err: list[bytes] = []
        position = 0
        while position < len(chunk):
            if self._remaining:
                part = chunk[position : position + self._remaining]
                (out if self._stream == STDOUT else err).append(part)
                self._remaining -= len(part)
                position += len(part)
            else:
                missing = _HEADER_BYTES - len(self._header)
                self._header += chunk[position : position + missing]
                position += missing
                if len(self._header) == _HEADER_BYTES:
                    self._open_frame()
        return b"".join(out), b"".join(err)

    def _open_frame(self) -> None:
        header, self._header = self._header, b""
        if header[0] > _SYSTEM_ERROR or header[1:4] != b"\0\0\0":
            raise BrokenStream(f"frame header {header.hex()}")
        # Stream 0 is stdin echoed back; it only occurs for stdout's place.
        self._stream = STDOUT if header[0] <= STDOUT else STDERR
        self._remaining = int.from_bytes(header[4:8], "big")
