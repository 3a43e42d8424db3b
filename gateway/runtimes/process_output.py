"""Reads a local process's stdout and stderr as one source. Must not know what the bytes mean.

stderr must be read while somebody waits for stdout, or a talkative server blocks; and no task of ours may live here. So
both pipes wait behind one file descriptor: an epoll (on macOS a kqueue), which is readable when one of them is. Behind it
waits the end of the process as well, where the kernel has a descriptor for that (Linux): a child that inherited the pipes
keeps them open, and would be waited for in vain.
"""

from __future__ import annotations

import os
import selectors
import sys
from contextlib import suppress

import trio

from gateway import limits
from gateway.runtimes.stderr_tail import StderrTail


class ProcessOutput:
    """Takes over both pipes of the process `pid`. One reader at a time."""

    def __init__(
        self,
        stdout: trio.lowlevel.FdStream,
        stderr: trio.lowlevel.FdStream,
        tail: StderrTail,
        *,
        pid: int,
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._tail = tail
        self._selector = selectors.DefaultSelector()
        self._selector.register(stdout.fileno(), selectors.EVENT_READ)
        self._selector.register(stderr.fileno(), selectors.EVENT_READ)
        # Readable once the process has ended; None where there is no such thing.
        self._end = _end_of(pid)
        if self._end is not None:
            self._selector.register(self._end, selectors.EVENT_READ)
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
            if self._end is not None:
                os.close(self._end)

    def _take(self) -> bytes:
        """Reads once what is there, without waiting."""
        out = b""
        for key, _ in self._selector.select(0):
            if key.fd == self._end:
                self.ended = True
                continue
            chunk = _read_nowait(key.fd)
            if chunk == b"":
                self._selector.unregister(key.fd)
            if key.fd == self._stdout.fileno():
                out = chunk or b""
                self.ended = self.ended or chunk == b""
            elif chunk:
                self._tail.feed(chunk)
        if self.ended:
            out += self._take_rest()
            self._take_last_words()
        return out

    def _take_rest(self) -> bytes:
        """What stdout still holds when the process has ended; no more than a pipe can hold, for a child may go on."""
        rest = b""
        while len(rest) < limits.READ_CHUNK_BYTES and (
            chunk := _read_nowait(self._stdout.fileno())
        ):
            rest += chunk
        return rest

    def _take_last_words(self) -> None:
        """What stderr holds when stdout ends is mostly why; no more than a pipe can hold."""
        if self._stderr.fileno() in self._selector.get_map():
            self._tail.feed(_read_nowait(self._stderr.fileno()) or b"")
        self._tail.end()


def _end_of(pid: int) -> int | None:
    """A descriptor that is readable once the process has ended, None where the kernel has none."""
    if sys.platform == "linux":
        with suppress(OSError):
            return os.pidfd_open(pid)
    return None


def _read_nowait(descriptor: int) -> bytes | None:
    """The next bytes, b"" at the end, None where there are none yet."""
    try:
        return os.read(descriptor, limits.READ_CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""
