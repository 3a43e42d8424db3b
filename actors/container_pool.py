"""The containers of one server: the pool as sessions and its own containers see it, and its life.

A warm call is placed by plain function calls (`submit`), without a task switch; starting, stopping, listing and
reloading are mail. What calls ask for is `actors.placement`, all else is `actors.upkeep`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal

import trio

from actors.budget import UNBOUNDED, MemoryBudget
from actors.call import Call, Deadlines
from actors.kit.mailbox import Mailbox
from actors.own_requests import set_log_level
from actors.placement import Placement
from actors.pool_keeper import PoolKeeper
from actors.pool_parts import PoolParts
from actors.relief import Holding
from actors.reports import PoolState, Reports
from actors.starts import Starts
from actors.upkeep import Upkeep
from actors.upstream import Opener
from gateway.catalog.model import EnabledServer
from gateway.errors import Gone
from gateway.jsonrpc.messages import Notification
from gateway.mcp.profile import ClientProfile
from gateway.mcp.spoken import UNASKED, Spoken
from gateway.ports import Freezer

_MAILBOX_CAPACITY = 64

Mail = Literal["look"]
"""The only mail there is: look at what is to be done. The pool's fields say what, so mail may be conflated."""


class ContainerPool:
    """The pool of one server.

    Args:
        server: what to run; `replace` changes it.
        opener: how one is started.
        starts: bounds parallel starts over all servers.
        deadlines: told of every call.
        reports: where news go.
        recall: which eras the server was found to speak earlier.
        random: jitter of the pauses after failed starts.
        freezer: what freezes and measures its containers, None where they are none.
        budget: the memory that all servers share.
    """

    def __init__(
        self,
        server: EnabledServer,
        opener: Opener,
        *,
        starts: Starts,
        deadlines: Deadlines,
        reports: Reports,
        random: Random,
        recall: Callable[[], Spoken] = lambda: UNASKED,
        freezer: Freezer | None = None,
        budget: MemoryBudget = UNBOUNDED,
    ) -> None:
        self._deadlines = deadlines
        self._parts = parts = PoolParts(
            server,
            opener,
            starts=starts,
            reports=reports,
            random=random,
            recall=recall,
            freezer=freezer,
            budget=budget,
            look=self._look,
            may_be_idle=self._wake_idle_waiters,
        )
        self._placement = Placement(parts)
        parts.keeper = PoolKeeper(parts, self._placement, reports)
        self._upkeep = Upkeep(parts)
        # Of the parts, what the way of a warm call needs.
        self._fleet = parts.fleet
        self._waiting = parts.waiting
        self._tally = parts.tally
        self._mailbox: Mailbox[Mail] = Mailbox(_MAILBOX_CAPACITY)
        self._looking = False
        """A `look` is in the mailbox."""
        self._idle_waiters = trio.lowlevel.ParkingLot()
        """Those who wait for the pool to be idle; they look again whenever it may be."""

    def __repr__(self) -> str:
        """The server and what runs."""
        states = " ".join(container.state for container in self._fleet)
        return f"<ContainerPool {self.server.name} [{states}] waiting={len(self._waiting)}>"

    @property
    def server(self) -> EnabledServer:
        """What it runs."""
        return self._parts.server

    @property
    def spoken(self) -> Spoken:
        """Which eras the server is known to speak."""
        return self._parts.spoken

    # --- calls -------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> None:
        """Sends a call to a container of its owner, or queues it and starts one. Returns at once."""
        container = self._fleet.by_owner.get(call.owner)
        if (
            container is not None
            and container.has_room(self._parts.server.pooling.max_inflight)
            and call.owner not in self._waiting.queues
        ):
            self._tally.hits += 1
            container.start(call)
        else:
            self._placement.place(call)
        # Last, because it may have to wake the sweeper.
        self._deadlines.watch(call)

    def release(self, owner: str) -> None:
        """The owner left: its queued calls are withdrawn and its containers stop."""
        self._waiting.withdraw_all(owner)
        self._parts.orphans.drop(owner)
        for container in self._fleet.owned(owner):
            container.subscriptions.clear()
            self._fleet.retire(container)

    def expect(self, profile: ClientProfile) -> None:
        """A client has come: a spare is greeted in its name, before its first call needs one."""
        self._placement.expect(profile)

    def inform(self, owner: str, notification: Notification) -> None:
        """Passes a client's notification on to its owner's running server, if there is one."""
        container = self._fleet.of(owner)
        if container is not None and container.upstream is not None:
            container.upstream.inform(notification)

    def set_log_level(self, owner: str, level: str) -> None:
        """Tells the owner's running server how much its client wants to hear."""
        container = self._fleet.of(owner)
        if container is not None and container.upstream is not None:
            set_log_level(container.upstream, level)

    def want_lists(self) -> None:
        """Has the server's lists read, starting a container if none is there. Reported once they are known."""
        self._parts.lists.wanted = True
        self._look()

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Lives until cancelled; then, or when it crashes, nothing runs and nobody waits any more."""
        self._placement.closed = False
        try:
            async with trio.open_nursery() as nursery:
                await self._look_forever(nursery)
        finally:
            self._fleet.clear()
            self._waiting.fail_all(Gone(f"server {self.server.name} was stopped"))

    async def _look_forever(self, nursery: trio.Nursery) -> None:
        """Acts whenever there is mail or the time has come."""
        try:
            while True:
                self._act(nursery)
                with trio.move_on_at(self._parts.look_at) as self._parts.pause:
                    await self._mailbox.receive()
                    self._looking = False
        finally:
            # The containers are still to be closed: what they report must start nothing new.
            self._placement.closed = True

    async def kill(self) -> None:
        """Ends every container at once, also while it is being stopped patiently."""
        await self._fleet.kill()

    def replace(self, server: EnabledServer, opener: Opener) -> None:
        """Runs another spec from now on: calls in flight end where they are, new ones get new containers."""
        self._parts.replace(server, opener)
        self._look()

    def tune(self, server: EnabledServer) -> None:
        """Takes over an entry whose launch and pooling are unchanged."""
        self._parts.server = server

    def retry_now(self) -> None:
        """Forgets earlier failures: something that may have caused them was changed."""
        self._parts.failures.forget()

    def idle(self) -> bool:
        """Whether no call waits or is in flight."""
        return not self._waiting.queues and not any(item.inflight for item in self._fleet)

    async def wait_idle(self) -> None:
        """Returns once no call waits or is in flight. The deadline is the caller's."""
        while not self.idle():
            await self._idle_waiters.park()

    def state(self) -> PoolState:
        """The pool for people."""
        now = trio.current_time()
        return PoolState(
            server=self.server.name,
            containers=tuple(
                (item.name, item.state, item.owner, item.inflight, now - item.started)
                for item in self._fleet
            ),
            waiting=len(self._waiting),
            failures=self._parts.failures.count,
            last_error=str(self._parts.failures.last_error or ""),
            mail=self._mailbox.depth,
            tally=self._tally.report(),
            memory_bytes=self._parts.memory.held_bytes(self.server),
        )

    async def measure(self) -> None:
        """Asks the engine what each container uses. The deadline is the caller's."""
        await self._parts.memory.measure()

    def holdings(self) -> list[Holding]:
        """Its containers as the memory budget sees them."""
        return self._parts.memory.holdings(self.server)

    def freeze(self, key: int) -> None:
        """Has a container frozen, if it is idle."""
        self._fleet.freeze(self._fleet[key])

    def give_up(self, key: int) -> None:
        """Stops a container for its memory; what it was kept for starts another."""
        self._fleet.retire(self._fleet[key])

    def _act(self, nursery: trio.Nursery) -> None:
        """Does what is to be done, and decides when to look again."""
        self._placement.serve_everybody()
        self._parts.look_at = self._upkeep.look()
        self._fleet.start_new(nursery)

    def _look(self) -> None:
        """Has `run` look at what is to be done."""
        if not self._looking:
            self._looking = True
            self._mailbox.address.tell("look")

    def _wake_idle_waiters(self) -> None:
        """Has those who wait for the pool to be idle look again, after the present step."""
        if self._idle_waiters:
            self._idle_waiters.unpark_all()
