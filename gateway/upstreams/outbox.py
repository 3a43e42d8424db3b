"""Frames on their way to one server that takes them one by one. Must not know what they are, nor who writes them."""

from __future__ import annotations

from collections import deque

import trio

from gateway.errors import Gone, Overloaded
from gateway.telemetry.refusals import refused


class Outbox:
    """Frames that wait for one writer."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._frames: deque[bytes] = deque()
        # Bounded by whoever puts.
        self._bytes = 0
        self._idle_writer = trio.lowlevel.ParkingLot()
        # Why nothing can be put any more; None while it can.
        self._why: str | None = None

    def __repr__(self) -> str:
        """How much waits, for logs and tests."""
        return f"<Outbox to {self._server}: {self._bytes} bytes queued>"

    def put(self, frame: bytes, *, bound_bytes: int) -> None:
        """Adds a frame; never blocks.

        Raises:
            Overloaded: with it, more than `bound_bytes` would wait.
            Gone: closed.
        """
        if self._why is not None:
            raise Gone(self._why)
        if self._bytes + len(frame) > bound_bytes:
            refused("to_servers.MAX_OUTBOUND_BYTES")
            raise Overloaded(f"server {self._server!r} does not read its input: try again later")
        self._frames.append(frame)
        self._bytes += len(frame)
        self._idle_writer.unpark()

    async def get(self) -> bytes:
        """The next frame. One reader at a time.

        Cancellation: nothing is lost.
        """
        while not self._frames:
            await self._idle_writer.park()
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame

    def close(self, why: str) -> None:
        """Lets `put` raise `Gone(why)` and forgets what waits. The first reason stands."""
        if self._why is None:
            self._why = why
        self._frames.clear()
        self._bytes = 0
