"""A container's stdin and stdout over named pipes, five times as fast as through the engine. Must not know MCP.

stderr still comes over the engine's attach stream, whose end says that the container has ended: what started the server
(`--init`) keeps it open as long as it lives. The end of the pipe that carries stdout is the second sign. No task of ours
may live here, so both wait behind one descriptor, as in `process_output`; a message costs one wait and one read.
"""

from __future__ import annotations

import os
import selectors
from typing import Final

import trio

from gateway import limits, nonblocking
from gateway.errors import BackendError
from gateway.runtimes.fifo_config import MARK
from gateway.runtimes.link_attach import AttachStream
from gateway.runtimes.named_pipes import NamedPipes

_STDERR_TURN: Final = 32
"""Reads of stdout after which stderr gets its turn where stdout never pauses: the engine holds what waits."""


class NotOpened(BackendError):
    """A container did not open the pipes; says why. `died`: it has ended instead."""

    def __init__(self, reason: str, *, died: bool) -> None:
        super().__init__(reason)
        self.died = died


class FifoStream:
    """`ContainerStream` over a pair of named pipes and an attach stream for the rest. Takes over both.

    Args:
        pipes: those that are mounted into the container.
        side: attached to its stdout and stderr, over a plain socket.
    """

    kind: Final = "fifo"

    def __init__(self, pipes: NamedPipes, side: AttachStream) -> None:
        self._pipes = pipes
        self._side = side
        self._selector = selectors.DefaultSelector()
        self._selector.register(pipes.stdout, selectors.EVENT_READ)
        self._selector.register(side.descriptor, selectors.EVENT_READ)
        # What stderr said before anybody received.
        self._early = b""
        # Reads of stdout since stderr was looked at.
        self._reads = 0
        self._stderr_ended = False
        self._closed = False
        self.stdout_ended = False
        self.ended = False

    async def wait_opened(self) -> None:
        """Waits until the container has opened both pipes, and removes their names.

        Raises:
            NotOpened: it has ended, or nothing came through in time.
        """
        with trio.move_on_after(limits.FIFO_OPEN_S):
            while True:
                await trio.lowlevel.wait_readable(self._selector.fileno())
                # First of the two: once it has ended, what it wrote is there to be read.
                self._early += self._take_stderr()
                if nonblocking.read_nowait(self._pipes.stdout, len(MARK)) == MARK:
                    break
                if self._stderr_ended:
                    said = self._early.decode(errors="replace").strip() or "it said nothing"
                    raise NotOpened(f"its container ended before it opened them: {said}", died=True)
            await trio.to_thread.run_sync(self._pipes.keep)
            return
        reason = f"nothing came through them within {limits.FIFO_OPEN_S:g} s"
        raise NotOpened(reason, died=False)

    async def receive(self) -> tuple[bytes, bytes]:
        """See `ContainerStream`."""
        if self._early:
            early, self._early = self._early, b""
            return b"", early
        if self.stdout_ended:
            return b"", await self._last_words()
        # Waits although there may be more: a server that floods its pipe is taken in turns with everybody else.
        try:
            await trio.lowlevel.wait_readable(self._selector.fileno())
        except trio.ClosedResourceError:
            return b"", b""
        return self._take()

    async def send_all(self, data: bytes | memoryview) -> None:
        """See `ContainerStream`."""
        await nonblocking.write_all(self._pipes.stdin, data)

    def send_nowait(self, data: bytes | memoryview) -> int:
        """See `ContainerStream`."""
        return nonblocking.write_nowait(self._pipes.stdin, data)

    async def send_eof(self) -> bool:
        """Ends stdin: nobody else has it open for writing."""
        self._close_stdin()
        await trio.lowlevel.checkpoint()
        return not self.ended

    async def aclose(self) -> None:
        """See `ContainerStream`. Names that are still there go as well."""
        self.stdout_ended = self.ended = True
        self._close_stdin()
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._selector.fileno())
            self._selector.close()
            self._pipes.close()
        await self._side.aclose()
        if self._pipes.named:
            await trio.to_thread.run_sync(self._pipes.discard)

    def _take(self) -> tuple[bytes, bytes]:
        """Reads once what is there, without waiting; of stderr, too, where stdout has nothing or it is its turn."""
        chunk = nonblocking.read_nowait(self._pipes.stdout, limits.READ_CHUNK_BYTES)
        if chunk:
            self._reads += 1
            if self._reads < _STDERR_TURN:
                return chunk, b""
        self._reads = 0
        said = self._take_stderr()
        if chunk == b"":
            self._end_stdout()
        elif chunk is None and self._stderr_ended:
            # Nothing of the container is left: what it wrote before its end is there, and nothing more comes.
            chunk = nonblocking.read_nowait(self._pipes.stdout, limits.READ_CHUNK_BYTES)
            self.stdout_ended = not chunk
        return chunk or b"", said

    def _take_stderr(self) -> bytes:
        """What is there of stderr. stdout's place in that stream only has what was said before the pipes were opened."""
        if self._stderr_ended:
            return b""
        out, err = self._side.receive_nowait()
        if self._side.ended:
            self._stderr_ended = True
            self._selector.unregister(self._side.descriptor)
        return out + err

    def _end_stdout(self) -> None:
        self.stdout_ended = True
        self._selector.unregister(self._pipes.stdout)

    async def _last_words(self) -> bytes:
        """What stderr still says after stdout has ended: mostly why. Then the end."""
        while not self._stderr_ended:
            try:
                await trio.lowlevel.wait_readable(self._selector.fileno())
            except trio.ClosedResourceError:
                break
            if said := self._take_stderr():
                return said
        await self.aclose()
        return b""

    def _close_stdin(self) -> None:
        descriptor = self._pipes.stdin
        if descriptor >= 0:
            self._pipes.stdin = -1
            trio.lowlevel.notify_closing(descriptor)
            os.close(descriptor)
