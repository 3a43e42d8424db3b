"""The upkeep of a pool: what is started, stopped, frozen and listed without a call that asks for it.

The decisions are `actors.assignment` and `actors.sizing`; here is done what they say. Must not know how calls are placed;
that is `actors.placement`.
"""

from __future__ import annotations

import math

import trio

from actors import assignment, sizing
from actors.pool_parts import PoolParts


class Upkeep:
    """The upkeep of one server's containers.

    Args:
        parts: what it shares with the placement of calls.
    """

    def __init__(self, parts: PoolParts) -> None:
        self._parts = parts
        self._fleet = parts.fleet

    def look(self) -> float:
        """Does what is to be done now; gives when to look again, unless something happens before."""
        now = trio.current_time()
        parts, fleet = self._parts, self._fleet
        pooling = parts.server.pooling
        plan = parts.spares.forecast(pooling, now)
        for key in assignment.expired(fleet.slots(), now, pooling, spares=plan.spares):
            fleet.retire(fleet[key])
        adopting = self._adopt(now)
        refill_at = parts.spares.refill_at()
        if refill_at <= now:
            refill_at = math.inf
            self._refill(plan.spares)
        frost = self._see_to_frost(now, 0 if parts.budget.near else plan.awake)
        self._see_to_lists()
        fleet.set_out(assignment.ready_spares(fleet.slots(), pooling))
        expiry = assignment.next_expiry(fleet.slots(), pooling, spares=plan.spares)
        expiring = math.inf if expiry is None else expiry
        again = min(plan.until, adopting, frost, refill_at, expiring)
        if parts.failures.paused_until > now and pooling.warm:
            again = min(again, parts.failures.paused_until)
        return again

    def _adopt(self, now: float) -> float:
        """Starts servers for those whose subscriptions nobody sees to; their next call would do the same.

        Returns:
            When to look at them again.
        """
        parts, again = self._parts, math.inf
        for orphan in parts.orphans:
            if any(item.owner == orphan.owner for item in self._fleet.live()):
                continue
            due = max(orphan.due, parts.failures.paused_until)
            if due > now:
                again = min(again, due)
            elif parts.failures.refusal(parts.server.name) is None and assignment.room(
                self._fleet.slots(), parts.server.pooling
            ):
                parts.add(owner=orphan.owner, profile=orphan.profile)
        return again

    def _refill(self, spares: int) -> None:
        """Starts the spares that are missing; not while calls wait for starts, which would take longer for it."""
        parts = self._parts
        awaited = any(item.owner is not None and not item.ready for item in self._fleet.live())
        if awaited or parts.failures.refusal(parts.server.name) is not None:
            return
        slots = self._fleet.slots()
        missing = parts.spares.missing(slots, spares)
        for profile in missing[: assignment.room(slots, parts.server.pooling)]:
            # The first one of a server is how it is learned what others of it need.
            is_first = parts.memory.usual_bytes is None and not self._fleet.live()
            if not (is_first or parts.budget.fits(parts.memory.next_bytes(parts.server))):
                return
            parts.add(owner=None, profile=profile)

    def _see_to_frost(self, now: float, awake: int) -> float:
        """Freezes spares that are not needed soon, and thaws those that are.

        Returns:
            When to look again.
        """
        if self._parts.freezer is None:
            return math.inf
        for key in sizing.to_thaw(self._fleet.slots(), awake):
            self._fleet[key].thaw()
        due, again = sizing.to_freeze(self._fleet.slots(), now, awake)
        for key in due:
            self._fleet.freeze(self._fleet[key])
        return again

    def _see_to_lists(self) -> None:
        """Reads lists where they are due; where no server was spoken to, one is for it."""
        parts = self._parts
        live = self._fleet.live()
        parts.lists.read_unseen(live)
        if not parts.lists.wanted or any(item.life.told and not item.frozen for item in live):
            return
        if live:
            live[0].life.tell(parts.spares.newest)
            live[0].thaw()
        elif (error := parts.failures.refusal(parts.server.name)) is not None:
            parts.lists.failed(parts.server.name, error)
        else:
            parts.add(owner=None, profile=parts.spares.newest)
