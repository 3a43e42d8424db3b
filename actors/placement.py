"""The call side of a pool: which container a call goes to, and which calls wait for one.

The decisions are `actors.assignment`; here is done what they say, by plain function calls. Must not know what is
started or stopped for other reasons than calls; that is `actors.upkeep`.
"""

from __future__ import annotations

import trio

from actors import assignment, sizing
from actors.answers import failure_of
from actors.call import Call
from actors.container import Container
from actors.pool_parts import PoolParts
from gateway.catalog.model import RemoteLaunch
from gateway.errors import Unavailable
from gateway.mcp.profile import ClientProfile, stranger
from gateway.telemetry.refusals import refused


class Placement:
    """The calls of one server on their way to its containers.

    Args:
        parts: what it shares with the upkeep.
    """

    def __init__(self, parts: PoolParts) -> None:
        self.closed = False
        """No call is taken any more."""
        self._parts = parts
        self._fleet = parts.fleet
        self._waiting = parts.waiting
        self._tally = parts.tally

    def place(self, call: Call) -> None:
        """Does what `assignment.place` says; what it says of an owner's first call is mostly known before it comes."""
        parts = self._parts
        if self.closed:
            reason = Unavailable(f"server {parts.server.name} is being stopped")
            call.settle(failure_of(reason))
            return
        kind = parts.kind_for(call.profile, call.greeting)
        pooling = parts.server.pooling
        if not self._fleet.owned(call.owner):
            spare = self._fleet.take_spare(kind, pooling.max_inflight)
            if spare is not None:
                self._use(spare, call)
                return
        decision = assignment.place(
            self._fleet.slots(),
            call.owner,
            pooling,
            waiting=self._waiting.count(call.owner),
            profile=kind,
        )
        match decision:
            case assignment.Use(key):
                self._use(self._fleet[key], call)
            case assignment.Await():
                self._waiting.add(call)
            case assignment.Claim(key):
                self._claim(self._fleet[key], call)
            case assignment.Start(evict):
                self._start(evict, call)

    def expect(self, profile: ClientProfile) -> None:
        """A client has come: a spare is greeted in its name, before its first call needs one."""
        parts = self._parts
        if parts.server.pooling.isolation not in {"session", "call"}:
            profile = stranger(profile.era)
        kind = parts.kind_for(profile, profile)
        parts.spares.expect(profile, kind)
        if (key := sizing.to_greet(self._fleet.slots(), kind)) is not None:
            self._fleet[key].life.tell(profile)
        elif (key := sizing.to_wake(self._fleet.slots(), kind)) is not None:
            self._fleet[key].thaw()

    def fill(self, container: Container, owner: str) -> None:
        """Gives a container calls of its owner that wait, as long as it has room."""
        while container.has_room(self._parts.server.pooling.max_inflight):
            call = self._waiting.take(owner)
            if call is None:
                return
            container.start(call)

    def serve_waiting(self, owner: str) -> None:
        """Places the queued calls of an owner again, in their order, as far as there is room."""
        self._waiting.place_again(owner, self.place)

    def serve_everybody(self) -> None:
        """Places the queued calls of owners without a container again: there may be room for one now."""
        for owner in list(self._waiting.queues):
            if not any(container.owner == owner for container in self._fleet.live()):
                self.serve_waiting(owner)

    def _use(self, container: Container, call: Call) -> None:
        """Gives the call to a ready container, which belongs to the call's owner from now on."""
        was_spare = container.owner is None
        self._fleet.hand_over(container, call.owner)
        if self._parts.server.pooling.isolation == "call" and not call.tasked:
            container.retire()
        container.start(call)
        if was_spare:
            # The server is at work by now: what is noted of its new owner is not waited for.
            self._tally.hits += 1
            self._tally.avoided += 1
            self._arrived()
            self._parts.look_by(self._parts.spares.refill_at())

    def _claim(self, container: Container, call: Call) -> None:
        """Has a container that is not ready made so for the call's owner."""
        if container.open:
            self._tally.hits += 1
        else:
            self._tally.misses += 1
        if container.owner is None:
            self._tally.avoided += container.open
            self._arrived()
            self._parts.look()
        self._waiting.add(call)
        container.owner = call.owner
        container.life.tell(call.greeting)
        container.thaw()

    def _start(self, evict: int | None, call: Call) -> None:
        """Has a container started for the call's owner, perhaps in place of another one."""
        parts = self._parts
        if (error := parts.failures.refusal(parts.server.name)) is not None:
            refused("to_servers.START_BACKOFF_S")
            call.settle(failure_of(error))
            return
        if evict is not None:
            self._fleet.retire(self._fleet[evict])
        self._tally.misses += 1
        self._arrived()
        self._parts.look()
        self._waiting.add(call)
        parts.budget.make_room(parts.memory.next_bytes(parts.server))
        parts.add(owner=call.owner, profile=call.greeting)

    def _arrived(self) -> None:
        """An owner needs a container of its own: there may be too few spares now."""
        if not isinstance(self._parts.server.launch, RemoteLaunch):
            # Where somebody else runs the server, sessions that nobody uses are no way to treat it.
            self._parts.spares.arrived(trio.current_time())
