"""Frames that wait for one client. Must not know what carries them.

Whoever has something for a client never waits for it: frames queue here, bounded by bytes, and one writer per client
takes them out. A client that lets them pile up is given up, for an answer that is skipped would be worse than none.
Notifications may be skipped, and are, long before that: a server that floods a client with them must not cut it off,
nor hold up the answers behind them once the stream ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from gateway import limits
from gateway.telemetry.refusals import refused

WriteNow = Callable[[bytes], int]
"""Writes as much of a frame as goes without waiting, and gives the number of bytes. Raises `trio.BrokenResourceError`."""


class _Note(bytes):
    """A frame that may be skipped."""

    __slots__ = ()


class Backlog:
    """A queue of frames with one reader. Past `max_bytes` it drops everything and ends.

    Args:
        max_bytes: what may wait.
        write_now: how a frame may be written past the queue, where nothing waits and the reader has nothing to do. One
            frame may be, each time that the client was `heard`: an answer that is alone then costs no task switch, and
            what comes in a crowd is gathered for one write.
    """

    def __init__(
        self, max_bytes: int = limits.MAX_OUTBOUND_BYTES, *, write_now: WriteNow | None = None
    ) -> None:
        self.overflowed = False
        """Whether frames were lost: then the connection must not look as if it ended well."""
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._closed = False
        self._write_now = write_now
        self._gathering = True
        # Where the reader waits for frames.
        self._idle_reader = trio.lowlevel.ParkingLot()

    def __repr__(self) -> str:
        """Its state and what it holds."""
        state = "overflowed" if self.overflowed else "closed" if self._closed else "open"
        return f"<Backlog {state}, {len(self._frames)} frames, {self._bytes} bytes>"

    @property
    def closed(self) -> bool:
        """Whether nothing more will be queued. What is queued can still be pulled."""
        return self._closed

    def push(self, frame: bytes, *, skippable: bool = False) -> None:
        """Queues a frame; swallows it once closed, and a skippable one where much waits already. Never blocks."""
        if self._closed:
            return
        if skippable and self._bytes > limits.MAX_OUTBOUND_NOTES_BYTES:
            refused("to_clients.MAX_OUTBOUND_NOTES_BYTES")
            return
        if skippable:
            frame = _Note(frame)
        if self._bytes + len(frame) > self._max_bytes:
            refused("to_clients.MAX_OUTBOUND_BYTES")
            self.overflowed = True
            self.drop()
            return
        if not self._gathering and self._idle_reader:
            self._gathering = True
            frame = self._written(frame)
            if not frame:
                return
        self._frames.append(frame)
        self._bytes += len(frame)
        # Mostly it is awake, and to wake nobody costs as much as all the rest of this.
        if self._idle_reader:
            self._idle_reader.unpark_all()

    def heard(self) -> None:
        """The client said something: the next frame may be its only answer."""
        self._gathering = self._write_now is None

    def close(self) -> None:
        """Ends the queue after what it holds; many notifications are left out of that. Idempotent."""
        if self._bytes > limits.MAX_LAST_NOTES_BYTES:
            self._leave_out_notes()
        self._closed = True
        self._idle_reader.unpark_all()

    def drop(self) -> None:
        """Ends the queue at once; what it holds is nobody's any more. Idempotent."""
        self._frames.clear()
        self._bytes = 0
        self.close()

    async def wait(self) -> None:
        """Until there is something to pull, or the queue is closed."""
        while not self._frames and not self._closed:
            await self._idle_reader.park()

    async def pull(self) -> bytes:
        """The next frames as one piece, b"" at the end.

        Several small ones go out together: a write costs far more than a copy of 64 KiB.

        Cancellation: nothing is lost.
        """
        first = await self.pull_one()
        pieces, size = [first], len(first)
        while self._frames and size + len(self._frames[0]) <= limits.READ_CHUNK_BYTES:
            pieces.append(self._frames.popleft())
            size += len(pieces[-1])
        self._bytes -= size - len(first)
        return first if len(pieces) == 1 else b"".join(pieces)

    async def pull_one(self) -> bytes:
        """The next frame by itself, b"" at the end.

        Cancellation: nothing is lost.
        """
        await self.wait()
        if not self._frames:
            return b""
        first = self._frames.popleft()
        self._bytes -= len(first)
        return first

    def _leave_out_notes(self) -> None:
        """Forgets the notifications that wait, if they are many: what is behind them is what their client waits for."""
        kept = deque(frame for frame in self._frames if not isinstance(frame, _Note))
        size = sum(map(len, kept))
        if self._bytes - size > limits.MAX_LAST_NOTES_BYTES:
            refused("to_clients.MAX_LAST_NOTES_BYTES")
            self._frames, self._bytes = kept, size

    def _written(self, frame: bytes) -> bytes:
        """What is left of a frame after as much of it was written as goes without waiting."""
        if self._write_now is None:
            return frame
        try:
            return frame[self._write_now(frame) :]
        except trio.BrokenResourceError:
            # The reader meets the same, and sees to the end.
            return frame
