"""Our own stdin and stdout as trio streams. Must not know what goes through them.

Whoever started us shares these files: a pipe's or socket's O_NONBLOCK flag is set for all who hold it, which breaks the
parent shell, or our own stderr. So no flag of theirs is touched: pipes are opened anew, sockets are asked not to block
call by call, and what cannot be polled at all (files, terminals, /dev/null) goes through a thread.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import trio

from gateway import limits, nonblocking

_STDERR: Final = 2
_DONTWAIT: Final = socket.MSG_DONTWAIT


class Output(Protocol):
    """Where answers are written."""

    async def send_all(self, data: bytes) -> None:
        """Writes all of `data`.

        Raises:
            trio.BrokenResourceError: nobody reads any more.
        """

    def send_nowait(self, data: bytes) -> int:
        """Writes as much as goes without waiting, and gives the number of bytes: 0 where this file must be waited for.

        Raises:
            trio.BrokenResourceError: nobody reads any more.
        """

    async def aclose(self) -> None:
        """Closes the stream, not the file of whoever started us."""


def open_input(descriptor: int) -> trio.abc.ReceiveStream:
    """A stream that reads `descriptor`, which stays open and as it is. The caller closes the stream."""
    mode = _mode(descriptor)
    if stat.S_ISFIFO(mode):
        own = _reopened(descriptor, os.O_RDONLY)
        if own is not None:
            return _PipeEnd(own)
    if stat.S_ISSOCK(mode):
        return _SocketEnd(descriptor)
    return _ThreadEnd(descriptor)


def open_output(descriptor: int) -> Output:
    """A stream that writes `descriptor`, which stays open and as it is. The caller closes the stream."""
    mode = _mode(descriptor)
    if stat.S_ISFIFO(mode):
        own = _reopened(descriptor, os.O_WRONLY)
        if own is not None:
            return _PipeEnd(own)
    if stat.S_ISSOCK(mode):
        return _SocketEnd(descriptor)
    return _ThreadEnd(descriptor)


@contextmanager
def reserved_output(descriptor: int) -> Iterator[int]:
    """Yields a private copy of `descriptor`, and points the original at stderr until the end.

    A stray `print`, here or in a library, then lands in the log and not in the middle of the protocol.
    """
    private = os.dup(descriptor)
    try:
        os.dup2(_STDERR, descriptor)
        try:
            yield private
        finally:
            os.dup2(private, descriptor)
    finally:
        os.close(private)


def _mode(descriptor: int) -> int:
    """The file's type; that of a regular file where the descriptor is closed, so that reading reports the error."""
    try:
        return os.fstat(descriptor).st_mode
    except OSError:
        return stat.S_IFREG


def _reopened(descriptor: int, flags: int) -> int | None:
    """A descriptor of our own for the same pipe; None where the system has no such thing, or forbids it (sudo, macOS)."""
    try:
        return os.open(Path("/proc/self/fd", str(descriptor)), flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


class _PipeEnd(trio.abc.ReceiveStream):
    """One end of a pipe that we have opened for ourselves, without blocking."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes, b"" at the end.

        Raises:
            trio.BrokenResourceError: the pipe is broken.
        """
        return await nonblocking.read(self._descriptor, max_bytes or limits.READ_CHUNK_BYTES)

    async def send_all(self, data: bytes) -> None:
        """See `Output`."""
        await nonblocking.write_all(self._descriptor, data)

    def send_nowait(self, data: bytes) -> int:
        """See `Output`."""
        return nonblocking.write_nowait(self._descriptor, data)

    async def aclose(self) -> None:
        """Closes our end."""
        trio.lowlevel.notify_closing(self._descriptor)
        os.close(self._descriptor)
        # No descriptor, so that closing twice does not close somebody else's.
        self._descriptor = -1
        await trio.lowlevel.checkpoint()


class _SocketEnd(trio.abc.ReceiveStream):
    """A socket that stays blocking for everybody else."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes, b"" at the end.

        Raises:
            trio.BrokenResourceError: the connection is broken.
        """
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(max_bytes or limits.READ_CHUNK_BYTES, _DONTWAIT)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError(str(error)) from error

    async def send_all(self, data: bytes) -> None:
        """See `Output`."""
        view = memoryview(data)
        while view := view[self.send_nowait(view) :]:
            await trio.lowlevel.wait_writable(self._socket)

    def send_nowait(self, data: bytes | memoryview) -> int:
        """See `Output`."""
        try:
            return self._socket.send(data, _DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error

    async def aclose(self) -> None:
        """Closes our copy."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        await trio.lowlevel.checkpoint()


class _ThreadEnd(trio.abc.ReceiveStream):
    """A file that cannot be polled. A read that is cancelled goes on in its thread; what it gets is lost."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # A terminal's read lasts until somebody types: it must not use up a slot that others wait for.
        self._limiter = trio.CapacityLimiter(1)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes, b"" at the end, and where the file cannot be read.

        Raises:
            trio.BrokenResourceError: the read failed.
        """
        try:
            return await trio.to_thread.run_sync(
                os.read,
                self._descriptor,
                max_bytes or limits.READ_CHUNK_BYTES,
                abandon_on_cancel=True,
                limiter=self._limiter,
            )
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error

    async def send_all(self, data: bytes) -> None:
        """See `Output`; a full disk looks like a reader that is gone."""
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                try:
                    sent += await trio.to_thread.run_sync(
                        os.write,
                        self._descriptor,
                        view[sent:],
                        abandon_on_cancel=True,
                        limiter=self._limiter,
                    )
                except OSError as error:
                    raise trio.BrokenResourceError(str(error)) from error

    def send_nowait(self, data: bytes) -> int:  # noqa: ARG002 -- a write may take any time
        """See `Output`."""
        return 0

    async def aclose(self) -> None:
        """Leaves the file to who opened it."""
        await trio.lowlevel.checkpoint()
