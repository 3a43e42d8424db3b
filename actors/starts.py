"""How many servers may be starting at a time, over all pools. Must not know what is started, nor how.

A start that takes long gives its place up and goes on without one: an image that is pulled, or an address that does not
answer, must not hold up the starts of everybody else. Among those who wait, the server with the fewest starts comes first.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from gateway import limits


class Starts:
    """The places.

    Args:
        places: how many there are.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: dict[object, tuple[str, float]] = {}
        """Who starts, and until when that counts, by an object of their own."""
        self._queue: dict[object, str] = {}
        """Who waits, the longest first."""
        self._changed = trio.Event()
        """Set, and replaced, whenever a place may have become free for another one."""

    def __repr__(self) -> str:
        """How many start and wait."""
        return f"<Starts {len(self._held)} of {self._places}, {len(self._queue)} waiting>"

    @asynccontextmanager
    async def place(self, server: str) -> AsyncIterator[None]:
        """A place for one start of that server.

        Cancellation: none is taken.
        """
        ours = object()
        await self._take(ours, server)
        try:
            yield
        finally:
            del self._held[ours]
            self._tell()

    async def _take(self, ours: object, server: str) -> None:
        """Waits for its turn."""
        self._queue[ours] = server
        try:
            await trio.lowlevel.checkpoint()
            while self._next() is not ours:
                with trio.move_on_at(self._next_expiry()):
                    await self._changed.wait()
        finally:
            del self._queue[ours]
            self._tell()
        self._held[ours] = (server, trio.current_time() + limits.START_PLACE_S)

    def _next(self) -> object | None:
        """Whose turn it is, None where no place is free."""
        now = trio.current_time()
        counted = [server for server, until in self._held.values() if until > now]
        if len(counted) >= self._places:
            return None
        return min(self._queue, key=lambda waiting: counted.count(self._queue[waiting]))

    def _next_expiry(self) -> float:
        """When the next place is given up."""
        now = trio.current_time()
        return min((until for _, until in self._held.values() if until > now), default=math.inf)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
