"""The memory budget over all servers: measures now and then, and has pools freeze and stop what `actors.relief` names.

Without a budget nothing is measured, and every question is answered yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import trio

from actors.relief import Holding, Relief, relieve
from gateway import limits
from gateway.telemetry.log import get_logger

log = get_logger("budget")


class Holder(Protocol):
    """A pool, as the budget sees it."""

    def holdings(self) -> list[Holding]:
        """Its containers."""

    async def measure(self) -> None:
        """Learns what they use. The deadline is the caller's."""

    def freeze(self, key: int) -> None:
        """Has one frozen, if it is still idle."""

    def give_up(self, key: int) -> None:
        """Stops one, if it is still idle."""


class MemoryBudget:
    """What containers may use together.

    Args:
        most_bytes: the budget; None for none.
        holders: all pools by server; read at each use.
    """

    def __init__(
        self, most_bytes: int | None, holders: Callable[[], Iterable[tuple[str, Holder]]]
    ) -> None:
        self.near = False
        """Whether so much is used that spares are better frozen than awake."""
        self._most_bytes = most_bytes
        self._holders = holders
        self._unmeasured = trio.Event()
        """Set when a container is there of which nothing is known."""

    def fits(self, more_bytes: int) -> bool:
        """Whether a spare of that size may be started."""
        if self._most_bytes is None:
            return True
        return more_bytes + sum(one.used_bytes for one in self._all()) <= self._most_bytes

    def make_room(self, more_bytes: int) -> None:
        """A call needs a container of that size: what is idle makes room for it, as far as there is something."""
        if self._most_bytes is not None:
            relief = relieve(self._all(), self._most_bytes, needed_bytes=more_bytes)
            self._do(Relief(stop=relief.stop))

    def measure_soon(self) -> None:
        """A container is ready of which nothing is known yet."""
        self._unmeasured.set()

    async def run(self) -> None:
        """Looks after it until cancelled."""
        if self._most_bytes is None:
            await trio.sleep_forever()
        while True:
            with trio.move_on_after(limits.MEASURE_PERIOD_S):
                await self._unmeasured.wait()
                await trio.sleep(limits.MEASURE_FIRST_S)
            self._unmeasured = trio.Event()
            await self.measure()
            held = self._all()
            used = sum(one.used_bytes for one in held)
            self.near = used > self._most_bytes * limits.FREEZE_SHARE
            self._do(relieve(held, self._most_bytes))

    async def measure(self) -> None:
        """Has all pools learn what their containers use. Bounded by `limits.MEASURE_S`."""
        with trio.move_on_after(limits.MEASURE_S):
            async with trio.open_nursery() as nursery:
                for _, holder in self._holders():
                    nursery.start_soon(holder.measure)

    def _all(self) -> list[Holding]:
        return [one for _, holder in self._holders() for one in holder.holdings()]

    def _do(self, relief: Relief) -> None:
        holders = dict(self._holders())
        for server, key in relief.freeze:
            holders[server].freeze(key)
        for server, key in relief.stop:
            log.info("over_memory_budget", server=server)
            holders[server].give_up(key)


UNBOUNDED = MemoryBudget(None, list)
"""No budget."""
