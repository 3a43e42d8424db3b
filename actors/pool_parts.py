"""What the two sides of one server's pool share: its calls (`actors.placement`) and its upkeep (`actors.upkeep`).

Holds, and makes containers; decides nothing. Must not know when anything of it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import trio

from actors.budget import MemoryBudget
from actors.container import Container
from actors.failed_starts import FailedStarts
from actors.fleet import Fleet
from actors.keeper import Keeper
from actors.orphans import Orphans
from actors.pool_lists import PoolLists
from actors.pool_memory import PoolMemory
from actors.reports import Reports
from actors.spares import Spares
from actors.starts import Starts
from actors.tally import Tally
from actors.upstream import Opener
from actors.waiting import WaitingCalls
from gateway.catalog.model import EnabledServer
from gateway.mcp.profile import ClientProfile, spoken_key
from gateway.mcp.spoken import Spoken
from gateway.ports import Freezer


class PoolParts:
    """One server, its containers, and those who need them.

    Args:
        server: what to run.
        opener: how one is started.
        starts: bounds parallel starts over all servers.
        reports: where news go.
        random: jitter of the pauses after failed starts.
        recall: which eras the server was found to speak earlier.
        freezer: what freezes and measures its containers, None where they are none.
        budget: the memory that all servers share.
        look: has the pool look at what is to be done.
        may_be_idle: has those look who wait until nothing is in flight.
    """

    keeper: Keeper[Container]
    """Who is told by the containers; set before the first one is made."""

    def __init__(
        self,
        server: EnabledServer,
        opener: Opener,
        *,
        starts: Starts,
        reports: Reports,
        random: Random,
        recall: Callable[[], Spoken],
        freezer: Freezer | None,
        budget: MemoryBudget,
        look: Callable[[], None],
        may_be_idle: Callable[[], None],
    ) -> None:
        self.server = server
        self.freezer = freezer
        self.budget = budget
        self.look = look
        self.may_be_idle = may_be_idle
        self.look_at = math.inf
        """When the pool looks next if nothing has it look before."""
        self.pause = trio.CancelScope()
        """Where it waits for that."""
        self.fleet = Fleet()
        self.memory = PoolMemory(self.fleet, freezer, look)
        self.waiting = WaitingCalls(may_be_idle)
        self.lists = PoolLists(reports)
        self.failures = FailedStarts(random)
        self.orphans = Orphans(random, reports)
        self.tally = Tally()
        self.spares = Spares(self.tally)
        self._opener = opener
        self._starts = starts
        self._recall = recall
        self._spoken: Spoken | None = None
        """None before anybody asked: what is known of it is in a file."""

    def look_by(self, at: float) -> None:
        """Has the pool look at what is to be done then, or before; unlike `look` that wakes nobody now."""
        if at < self.look_at:
            self.look_at = self.pause.deadline = at

    @property
    def spoken(self) -> Spoken:
        """Which eras the server is known to speak."""
        if self._spoken is None:
            self._spoken = self._recall()
        return self._spoken

    def learn(self, container: Container) -> None:
        """Takes over what a container has found out about the server."""
        if not self.is_outdated(container):
            self._spoken = self.spoken.merged(container.life.spoken)

    def replace(self, server: EnabledServer, opener: Opener) -> None:
        """Runs another spec from now on: calls in flight end where they are, new ones get new containers."""
        if server.list_key != self.server.list_key:
            self._spoken = None
        self.server = server
        self._opener = opener
        self.failures.forget()
        for container in self.fleet:
            self.fleet.retire(container)

    def is_outdated(self, container: Container) -> bool:
        """Whether it runs an earlier launch, whose lists say nothing of the present one."""
        return container.server.list_key != self.server.list_key

    def kind_for(self, client: ClientProfile, greeting: ClientProfile) -> str:
        """What a server was told of its client that serves calls of `client`, and is greeted with `greeting`."""
        return spoken_key(self.spoken.era_for(client.era), greeting)

    def add(self, *, owner: str | None, profile: ClientProfile | None) -> None:
        """Has one more container started."""
        self.failures.begun()
        self.fleet.add(
            Container(
                self.fleet.next_key(),
                self.server,
                self._opener,
                owner=owner,
                profile=profile,
                spoken=self.spoken,
                starts=self._starts,
                keeper=self.keeper,
                freezer=self.freezer,
            )
        )
        self.look()
