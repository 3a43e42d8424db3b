"""Reads a local process's stdout and stderr as one source. Must not know what the bytes mean.

stderr must be read while somebody waits for stdout, or a talkative server blocks; and no task of ours may live here. So
both pipes wait behind one file descriptor: an epoll (on macOS a kqueue), which is readable when one of them is.
"""

from __future__ import annotations

import os
import selectors

import trio

from gateway import limits
from gateway.runtimes.stderr_tail import StderrTail


class ProcessOutput:
    """Takes over both pipes. One reader at a time."""

    def __init__(
        self, stdout: trio.lowlevel.FdStream, stderr: trio.lowlevel.FdStream, tail: StderrTail
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._tail = tail
        self._selector = selectors.DefaultSelector()
        self._selector.register(stdout.fileno(), selectors.EVENT_READ)
        self._selector.register(stderr.fileno(), selectors.EVENT_READ)
        self._closed = False
        self.ended = False

    async def receive(self) -> bytes:
        """The next bytes of stdout, b"" if only stderr came. Sets `ended` where there is nothing more to come."""
        if self.ended:
            return b""
        try:
            await trio.lowlevel.wait_readable(self._selector.fileno())
        except trio.ClosedResourceError:
            return b""
        return self._take()

    def close(self) -> None:
        """Closes both pipes; a reader that waits sees the end. Idempotent."""
        self.ended = True
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._selector.fileno())
            self._selector.close()
            for stream in (self._stdout, self._stderr):
                stream.close()

    def _take(self) -> bytes:
        """Reads once what is there, without waiting."""
        out = b""
        for key, _ in self._selector.select(0):
            chunk = _read_nowait(key.fd)
            if chunk == b"":
                self._selector.unregister(key.fd)
            if key.fd == self._stdout.fileno():
                out = chunk or b""
                self.ended = chunk == b""
            elif chunk:
                self._tail.feed(chunk)
        if self.ended:
            self._take_last_words()
        return out

    def _take_last_words(self) -> None:
        """What stderr holds when stdout ends is mostly why; no more than a pipe can hold."""
        if self._stderr.fileno() in self._selector.get_map():
            self._tail.feed(_read_nowait(self._stderr.fileno()) or b"")
        self._tail.end()


def _read_nowait(descriptor: int) -> bytes | None:
    """The next bytes, b"" at the end, None where there are none yet."""
    try:
        return os.read(descriptor, limits.READ_CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""
