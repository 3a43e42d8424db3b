"""The life of a started container behind its two streams. Must not know MCP, how bytes travel, or how it was made."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import trio

from gateway import limits
from gateway.errors import BackendError, Gone
from gateway.runtimes.stderr_tail import StderrTail


class Container(Protocol):
    """What a link needs of its container beyond the stream. Nothing of it raises but `BackendError`."""

    @property
    def name(self) -> str:
        """The container's name."""

    async def exit_status(self) -> int | None:
        """Waits for the end; None where the engine no longer knows."""

    async def terminate(self) -> None:
        """SIGTERM to its first process."""

    async def remove(self) -> None:
        """SIGKILL if need be, and removal. Fine if it is gone already."""


class ContainerStream(Protocol):
    """Stdin, stdout and stderr of a container, whatever carries them."""

    @property
    def kind(self) -> str:
        """How stdin and stdout travel: "attach" or "fifo"."""

    @property
    def stdout_ended(self) -> bool:
        """Whether nothing more comes of stdout."""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes at all: the server has ended, or the stream is closed."""

    async def receive(self) -> tuple[bytes, bytes]:
        """The next bytes of stdout and of stderr. Sets `ended`, and closes, where there is nothing more to come.

        Cancellation: nothing is lost.
        """

    async def send_all(self, data: bytes | memoryview) -> None:
        """Writes to stdin.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError
        """

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Writes to stdin what goes without waiting, and gives the number of bytes.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError
        """

    async def send_eof(self) -> bool:
        """Ends stdin. Gives whether stdout can still be read."""

    async def aclose(self) -> None:
        """Closes everything at once; wakes who reads or writes. Idempotent."""


class ContainerLink:
    """`ports.Link` over a container's stream. Made for a container that has been started."""

    def __init__(self, stream: ContainerStream, container: Container, tail: StderrTail) -> None:
        self._stream = stream
        self._container = container
        self._tail = tail
        # One reader at a time: the owner's, or the one that drains while closing. A trio.Lock does more than that, and
        # would cost each answer as much as reading it.
        self._read_by_someone = False
        self._readers = trio.lowlevel.ParkingLot()
        # None until the end was seen and the engine asked.
        self._exit_status: int | None = None
        # Set once there is nothing left to do; `_closing` once closing has begun.
        self._closed = trio.Event()
        self._closing = False

    def __repr__(self) -> str:
        """The container and how far the link is."""
        state = "closed" if self._closed.is_set() else "closing" if self._closing else "open"
        return f"<ContainerLink {self.name} over {self.kind}: {state}>"

    @property
    def name(self) -> str:
        """The container's name."""
        return self._container.name

    @property
    def kind(self) -> str:
        """How bytes travel: "attach" or "fifo"."""
        return self._stream.kind

    def stderr_tail(self) -> str:
        """The last of the server's stderr."""
        return self._tail.text()

    def exit_status(self) -> int | None:
        """The exit status, None while it runs or where it was not learned (yet)."""
        return self._exit_status

    async def send_all(self, frame: bytes | memoryview) -> None:
        """Writes to the server's stdin.

        Raises:
            Gone: the server no longer reads.
        """
        try:
            await self._stream.send_all(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._deaf() from error

    def send_nowait(self, frame: bytes | memoryview) -> int:
        """Writes what goes without waiting.

        Raises:
            Gone: the server no longer reads.
        """
        try:
            return self._stream.send_nowait(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._deaf() from error

    async def receive_some(self) -> bytes:
        """The next bytes of stdout; b"" once it has ended."""
        while not self._stream.stdout_ended:
            if out := await self._read():
                return out
        return b""

    async def learn_ending(self) -> None:
        """Reads stderr to its end, which is the container's, and asks the engine for the exit status.

        Beside each other: soon after the end that stderr tells of, the engine no longer knows the status.
        """
        with trio.move_on_after(limits.ENDING_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._learn_exit_status)
                await self._drain()

    async def _learn_exit_status(self) -> None:
        if self._exit_status is None:
            with suppress(BackendError):
                self._exit_status = await self._container.exit_status()

    async def aclose(self) -> None:
        """Ends stdin, waits, TERM, waits, removes. Completed when the caller is cancelled; idempotent."""
        if not self._closing:
            self._closing = True
            try:
                with trio.move_on_after(limits.STOP_DEADLINE_S, shield=True):
                    await self._stop_gently()
            finally:
                with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                    await self._remove()
        await self._closed.wait()

    async def kill(self) -> None:
        """Removes the container at once, also while `aclose` is still being patient."""
        self._closing = True
        with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
            await self._remove()
        await trio.lowlevel.checkpoint()

    def _deaf(self) -> Gone:
        return Gone(f"container {self.name} no longer reads its input")

    async def _stop_gently(self) -> None:
        readable = await self._stream.send_eof()
        if await self._ends_within_grace(readable=readable):
            return
        with suppress(BackendError):
            await self._container.terminate()
            await self._ends_within_grace(readable=readable)

    async def _ends_within_grace(self, *, readable: bool) -> bool:
        """Whether the server ends in time: told by the end of its output, else by the engine."""
        with trio.move_on_after(limits.STOP_GRACE_S), suppress(BackendError):
            if readable:
                await self._drain()
            else:
                await self._container.exit_status()
            return True
        return False

    async def _drain(self) -> None:
        """Reads until the output has ended, in turn with the owner's reader if there is one."""
        while not self._stream.ended:
            await self._read()

    async def _remove(self) -> None:
        try:
            # A failure was logged where it was raised; the next reaping finds what is left.
            with suppress(BackendError):
                await self._container.remove()
        finally:
            with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                await self._stream.aclose()
            self._closed.set()

    async def _read(self) -> bytes:
        """One read, when nobody else reads: what came of stdout. Nothing where another's read was the last one."""
        while self._read_by_someone:
            await self._readers.park()
            if self._stream.ended:
                return b""
        self._read_by_someone = True
        try:
            out, err = await self._stream.receive()
        finally:
            self._read_by_someone = False
            if self._readers:
                self._readers.unpark_all()
        if err:
            self._tail.feed(err)
        if self._stream.ended:
            self._tail.end()
        return out
