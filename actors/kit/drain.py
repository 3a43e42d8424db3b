"""Counts what is in flight, so that an end can wait for it. Must not know what is in flight, nor for how long to wait."""

from __future__ import annotations

import trio

from gateway.errors import Overloaded


class Drain:
    """The in-flight count of one part of the gateway, and the door in front of it.

    Args:
        name: What is drained, as it is called in messages to people.
    """

    def __init__(self, name: str = "gateway") -> None:
        self._name = name
        self._in_flight = 0
        self._draining = False
        self._waiters = trio.lowlevel.ParkingLot()

    @property
    def draining(self) -> bool:
        """Whether the door is shut."""
        return self._draining

    @property
    def in_flight(self) -> int:
        """How many have entered and not left."""
        return self._in_flight

    def enter(self) -> None:
        """Counts one in.

        Raises:
            Overloaded: the drain has begun.
        """
        if self._draining:
            raise Overloaded(f"the {self._name} is shutting down and takes no new work")
        self._in_flight += 1

    def leave(self) -> None:
        """Counts one out. Exactly once for each `enter` that returned."""
        if not self._in_flight:
            raise RuntimeError(f"more left the {self._name} than entered")  # a bug, not a fault
        self._in_flight -= 1
        if not self._in_flight:
            self._waiters.unpark_all()

    def begin(self) -> None:
        """Shuts the door. Idempotent."""
        self._draining = True

    async def wait_empty(self) -> None:
        """Returns once nothing is in flight. The deadline is the caller's scope."""
        await trio.lowlevel.checkpoint()
        while self._in_flight:
            await self._waiters.park()

    def __repr__(self) -> str:
        """`<Drain of gateway: 3 in flight, draining>`."""
        return f"<Drain of {self._name}: {self._in_flight} in flight, {'draining' if self._draining else 'open'}>"
