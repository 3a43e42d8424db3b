"""The containers of one server: who gets which, when one starts, when one stops.

A warm call is placed by plain function calls (`submit`), without a task switch; starting, stopping, listing and
reloading are mail. The decisions are `actors.assignment`; this module does what they say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Literal

import trio

from actors import assignment, sizing
from actors.budget import UNBOUNDED, MemoryBudget
from actors.call import Call, Deadlines
from actors.container import Container, spoken_key
from actors.failed_starts import FailedStarts
from actors.fleet import Fleet
from actors.kit.mailbox import Mailbox
from actors.orphans import Orphans
from actors.pool_lists import PoolLists
from actors.pool_memory import PoolMemory
from actors.relief import Holding
from actors.reports import PoolState, Reports
from actors.server_request import ServerRequest
from actors.spares import Spares
from actors.starts import Starts
from actors.tally import Tally
from actors.upstream import Opener, failure_of
from actors.waiting import WaitingCalls
from gateway.catalog.model import EnabledServer, RemoteLaunch
from gateway.errors import GatewayError, Gone, Unavailable
from gateway.jsonrpc.messages import Notification
from gateway.mcp.listing import ServerLists
from gateway.mcp.profile import ClientProfile, stranger
from gateway.mcp.spoken import UNASKED, Spoken
from gateway.ports import Freezer
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("pool")

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
        self.server = server
        self._opener = opener
        self._starts = starts
        self._deadlines = deadlines
        self._reports = reports
        self._freezer = freezer
        self._budget = budget
        self._fleet = Fleet()
        self._memory = PoolMemory(self._fleet, freezer, self._look)
        self._waiting = WaitingCalls(self._wake_idle_waiters)
        self._lists = PoolLists(reports)
        self._failures = FailedStarts(random)
        self._orphans = Orphans(random, reports)
        self._mailbox: Mailbox[Mail] = Mailbox(_MAILBOX_CAPACITY)
        self._looking = False
        """A `look` is in the mailbox."""
        self._tally = Tally()
        self._spares = Spares(self._tally)
        self._recall = recall
        self._spoken: Spoken | None = None
        self._wake_at = math.inf
        self._closing = False
        self._idle_waiters = trio.lowlevel.ParkingLot()
        """Those who wait for the pool to be idle; they look again whenever it may be."""

    def __repr__(self) -> str:
        """The server and what runs."""
        states = " ".join(container.state for container in self._fleet)
        return f"<ContainerPool {self.server.name} [{states}] waiting={len(self._waiting)}>"

    @property
    def spoken(self) -> Spoken:
        """Which eras the server is known to speak."""
        if self._spoken is None:
            self._spoken = self._recall()
        return self._spoken

    # --- calls -------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> None:
        """Sends a call to a container of its owner, or queues it and starts one. Returns at once."""
        self._deadlines.watch(call)
        container = self._fleet.by_owner.get(call.owner)
        if (
            container is not None
            and container.has_room(self.server.pooling.max_inflight)
            and call.owner not in self._waiting.queues
        ):
            self._tally.hits += 1
            container.start(call)
        else:
            self._place(call)

    def release(self, owner: str) -> None:
        """The owner left: its queued calls are withdrawn and its containers stop."""
        self._waiting.withdraw_all(owner)
        self._orphans.drop(owner)
        for container in self._fleet.owned(owner):
            container.subscriptions.clear()
            self._fleet.retire(container)

    def expect(self, profile: ClientProfile) -> None:
        """A client has come: a spare is greeted in its name, before its first call needs one."""
        if self.server.pooling.isolation not in {"session", "call"}:
            profile = stranger(profile.era)
        kind = self._kind_for(profile, profile)
        self._spares.expect(profile, kind)
        if (key := sizing.to_greet(self._fleet.slots(), kind)) is not None:
            self._fleet[key].tell(profile)
        elif (key := sizing.to_wake(self._fleet.slots(), kind)) is not None:
            self._fleet[key].thaw()

    def inform(self, owner: str, notification: Notification) -> None:
        """Passes a client's notification on to its owner's running server, if there is one."""
        container = self._fleet.of(owner)
        if container is not None and container.upstream is not None:
            container.upstream.inform(notification)

    def set_log_level(self, owner: str, level: str) -> None:
        """Tells the owner's running server how much its client wants to hear."""
        container = self._fleet.of(owner)
        if container is not None and container.upstream is not None:
            container.upstream.set_log_level(level)

    def want_lists(self) -> None:
        """Has the server's lists read, starting a container if none is there. Reported once they are known."""
        self._lists.wanted = True
        self._look()

    def _place(self, call: Call) -> None:
        """Does what `assignment.place` says."""
        if self._closing:
            call.settle(failure_of(Unavailable(f"server {self.server.name} is being stopped")))
            return
        decision = assignment.place(
            self._fleet.slots(),
            call.owner,
            self.server.pooling,
            waiting=self._waiting.count(call.owner),
            profile=self._kind_for(call.profile, call.greeting),
        )
        match decision:
            case assignment.Use(key):
                self._use(self._fleet[key], call)
            case assignment.Await():
                self._waiting.add(call)
            case assignment.Claim(key):
                self._claim(self._fleet[key], call)
            case assignment.Start(evict):
                if (error := self._failures.refusal(self.server.name)) is not None:
                    refused("to_servers.START_BACKOFF_S")
                    call.settle(failure_of(error))
                    return
                if evict is not None:
                    self._fleet.retire(self._fleet[evict])
                self._tally.misses += 1
                self._arrived()
                self._waiting.add(call)
                self._budget.make_room(self._memory.next_bytes(self.server))
                self._add(owner=call.owner, profile=call.greeting)

    def _claim(self, container: Container, call: Call) -> None:
        """Has a container that is not ready made so for the call's owner."""
        if container.open:
            self._tally.hits += 1
        else:
            self._tally.misses += 1
        if container.owner is None:
            self._tally.avoided += container.open
            self._arrived()
        self._waiting.add(call)
        container.owner = call.owner
        container.tell(call.greeting)
        container.thaw()

    def _arrived(self) -> None:
        """An owner needs a container of its own: there may be too few spares now."""
        if not isinstance(self.server.launch, RemoteLaunch):
            # Where somebody else runs the server, sessions that nobody uses are no way to treat it.
            self._spares.arrived(trio.current_time())
        self._look()

    def _use(self, container: Container, call: Call) -> None:
        """Gives the call to a ready container, which belongs to the call's owner from now on."""
        if container.owner is None:
            self._tally.hits += 1
            self._tally.avoided += 1
            self._arrived()
        self._fleet.hand_over(container, call.owner)
        if self.server.pooling.isolation == "call" and not call.tasked:
            container.retire()
        container.start(call)

    def _fill(self, container: Container, owner: str) -> None:
        """Gives a container calls of its owner that wait, as long as it has room."""
        while container.has_room(self.server.pooling.max_inflight):
            call = self._waiting.take(owner)
            if call is None:
                return
            container.start(call)

    def _serve_waiting(self, owner: str) -> None:
        """Places the queued calls of an owner again, in their order, as far as there is room."""
        self._waiting.place_again(owner, self._place)

    def _serve_everybody(self) -> None:
        """Places the queued calls of owners without a container again: there may be room for one now."""
        for owner in list(self._waiting.queues):
            if not any(container.owner == owner for container in self._fleet.live()):
                self._serve_waiting(owner)

    # --- what containers tell ----------------------------------------------------------------------------------

    def opened(self, container: Container) -> None:  # noqa: ARG002 -- all are looked at
        """A spare runs: there may be one too many, or somebody who waits for its lists."""
        self._look()

    def became_ready(self, container: Container) -> None:
        """The handshake is done: its calls go out."""
        self._failures.succeeded()
        self._tally.starts.append(container.start_s)
        if not self._is_outdated(container):
            self._spoken = self.spoken.merged(container.spoken)
        if container.owner is not None:
            self._fleet.hand_over(container, container.owner)
            self._orphans.hand_over(container, container.owner)
            self._serve_waiting(container.owner)
        self._look()

    def thawed(self, container: Container) -> None:
        """It takes calls again: those of its owner that wait."""
        if container.owner is not None and not container.stale:
            self._fleet.hand_over(container, container.owner)
            self._serve_waiting(container.owner)
        self._look()

    def has_room(self, container: Container) -> None:
        """A call was answered: the next one of its owner goes out, or the container is idle."""
        self._wake_idle_waiters()
        owner = container.owner
        if owner is not None and owner in self._waiting.queues:
            self._fill(container, owner)
        if not container.inflight and (
            container.stale
            or not container.has_listed
            or self._wake_at == math.inf
            or self._waiting.queues
        ):
            self._look()

    def untaken(self, container: Container, call: Call | None, reason: str) -> bool:
        """It takes no more calls. The one that it has not executed goes to another, if that is the first time."""
        if not container.stale:
            log.warning("server_takes_no_more", server=self.server.name, reason=reason)
        self._fleet.pass_over(container)
        if call is None or call.is_settled or call.resent or not call.owner or self._closing:
            return False
        call.resent = True
        log.info("call_sent_anew", server=self.server.name, method=call.method)
        self._place(call)
        return True

    def free_earlier(self, container: Container) -> None:  # noqa: ARG002 -- all are looked at
        """A task or a subscription is over: when to look next is decided anew."""
        self._look()

    def exited(self, container: Container, error: GatewayError | None) -> None:
        """Nothing of it is left. Where it never became ready, those who waited for it get the reason."""
        self._fleet.remove(container)
        self._wake_idle_waiters()
        if stderr := container.stderr_tail():
            self._reports.last_words(self.server.name, stderr)
        if container.owner is not None:
            self._reports.changed_for(container.owner, self.server.name, None)
        if self._closing:
            return
        if container.owner is not None and container.subscriptions:
            self._orphans.keep(container.owner, container.profile, container.subscriptions)
        if error is not None:
            self._failed(container, error)
        else:
            if not container.ready:
                self._failures.given_up()
            if container.owner is not None:
                self._serve_waiting(container.owner)
        self._look()

    def _failed(self, container: Container, error: GatewayError) -> None:
        """A container ended unasked. After a failed start the waiting calls fail; after a death they try anew."""
        self._failures.last_error = error
        log.warning("server_ended", server=self.server.name, reason=str(error))
        if container.ready:
            if container.owner is not None:
                self._serve_waiting(container.owner)
            return
        self._failures.add()
        if container.owner is not None:
            self._waiting.fail(container.owner, error)
        else:
            self._lists.failed(self.server.name, error)

    def listed(self, container: Container, lists: ServerLists, *, announced: bool) -> None:
        """Lists were read."""
        if not self._is_outdated(container):
            self._lists.take(self.server, container, lists, spoken=self.spoken, announced=announced)
            self._look()

    def list_failed(self, container: Container, error: GatewayError) -> None:
        """Lists could not be read."""
        log.warning("list_failed", server=self.server.name, reason=str(error))
        container.has_listed = True
        if not self._is_outdated(container):
            self._lists.failed(self.server.name, error)
            self._look()

    def notified(self, container: Container, notification: Notification) -> None:
        """A notification without a call goes to the owner."""
        if container.owner is not None:
            self._reports.notified(container.owner, self.server.name, notification)

    def asked(self, container: Container, request: ServerRequest) -> None:
        """A request to the client goes to the owner; a spare has no client yet."""
        if container.owner is None:
            request.refuse(f"no client is connected that could serve {request.method}")
        else:
            self._reports.asked(container.owner, request)

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Lives until cancelled; then, or when it crashes, nothing runs and nobody waits any more."""
        self._closing = False
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
                with trio.move_on_at(self._wake_at):
                    await self._mailbox.receive()
                    self._looking = False
        finally:
            # The containers are still to be closed: what they report must start nothing new.
            self._closing = True

    async def kill(self) -> None:
        """Ends every container at once, also while it is being stopped patiently."""
        await self._fleet.kill()

    def replace(self, server: EnabledServer, opener: Opener) -> None:
        """Runs another spec from now on: calls in flight end where they are, new ones get new containers."""
        if server.list_key != self.server.list_key:
            self._spoken = None
        self.server = server
        self._opener = opener
        self._failures.forget()
        for container in self._fleet:
            self._fleet.retire(container)
        self._look()

    def tune(self, server: EnabledServer) -> None:
        """Takes over an entry whose launch and pooling are unchanged."""
        self.server = server

    def retry_now(self) -> None:
        """Forgets earlier failures: something that may have caused them was changed."""
        self._failures.forget()

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
            failures=self._failures.count,
            last_error=str(self._failures.last_error or ""),
            mail=self._mailbox.depth,
            tally=self._tally.report(),
            memory_bytes=self._memory.held_bytes(self.server),
        )

    async def measure(self) -> None:
        """Asks the engine what each container uses. The deadline is the caller's."""
        await self._memory.measure()

    def holdings(self) -> list[Holding]:
        """Its containers as the memory budget sees them."""
        return self._memory.holdings(self.server)

    def freeze(self, key: int) -> None:
        """Has a container frozen, if it is idle."""
        self._fleet.freeze(self._fleet[key])

    def give_up(self, key: int) -> None:
        """Stops a container for its memory; what it was kept for starts another."""
        self._fleet.retire(self._fleet[key])

    def _act(self, nursery: trio.Nursery) -> None:
        """Starts and stops what the rules ask for, and decides when to look again."""
        now = trio.current_time()
        pooling = self.server.pooling
        self._serve_everybody()
        plan = self._spares.forecast(pooling, now)
        for key in assignment.expired(self._fleet.slots(), now, pooling, spares=plan.spares):
            self._fleet.retire(self._fleet[key])
        adopting = self._adopt(now)
        refill_at = self._spares.refill_at()
        if refill_at <= now:
            refill_at = math.inf
            self._refill(plan.spares)
        frost = self._see_to_frost(now, 0 if self._budget.near else plan.awake)
        self._see_to_lists()
        self._fleet.start_new(nursery)
        expiry = assignment.next_expiry(self._fleet.slots(), pooling, spares=plan.spares)
        expiring = math.inf if expiry is None else expiry
        self._wake_at = min(plan.until, adopting, frost, refill_at, expiring)
        if self._failures.paused_until > now and pooling.warm:
            self._wake_at = min(self._wake_at, self._failures.paused_until)

    def _adopt(self, now: float) -> float:
        """Starts servers for those whose subscriptions nobody sees to; their next call would do the same.

        Returns:
            When to look at them again.
        """
        wake_at = math.inf
        for orphan in self._orphans:
            if any(item.owner == orphan.owner for item in self._fleet.live()):
                continue
            due = max(orphan.due, self._failures.paused_until)
            if due > now:
                wake_at = min(wake_at, due)
            elif self._failures.refusal(self.server.name) is None and assignment.room(
                self._fleet.slots(), self.server.pooling
            ):
                self._add(owner=orphan.owner, profile=orphan.profile)
        return wake_at

    def _see_to_frost(self, now: float, awake: int) -> float:
        """Freezes spares that are not needed soon, and thaws those that are.

        Returns:
            When to look again.
        """
        if self._freezer is None:
            return math.inf
        for key in sizing.to_thaw(self._fleet.slots(), awake):
            self._fleet[key].thaw()
        due, again = sizing.to_freeze(self._fleet.slots(), now, awake)
        for key in due:
            self._fleet.freeze(self._fleet[key])
        return again

    def _refill(self, spares: int) -> None:
        """Starts the spares that are missing; not while calls wait for starts, which would take longer for it."""
        awaited = any(item.owner is not None and not item.ready for item in self._fleet.live())
        if awaited or self._failures.refusal(self.server.name) is not None:
            return
        slots = self._fleet.slots()
        missing = self._spares.missing(slots, spares)
        for profile in missing[: assignment.room(slots, self.server.pooling)]:
            # The first one of a server is how it is learned what others of it need.
            is_first = self._memory.usual_bytes is None and not self._fleet.live()
            if not (is_first or self._budget.fits(self._memory.next_bytes(self.server))):
                return
            self._add(owner=None, profile=profile)

    def _see_to_lists(self) -> None:
        """Reads lists where they are due; where no server was spoken to, one is for it."""
        live = self._fleet.live()
        self._lists.read_unseen(live)
        if not self._lists.wanted or any(item.told and not item.frozen for item in live):
            return
        if live:
            live[0].tell(self._spares.newest)
            live[0].thaw()
        elif (error := self._failures.refusal(self.server.name)) is not None:
            self._lists.failed(self.server.name, error)
        else:
            self._add(owner=None, profile=self._spares.newest)

    def _add(self, *, owner: str | None, profile: ClientProfile | None) -> None:
        """Has one more container started."""
        self._failures.begun()
        self._fleet.add(
            Container(
                self._fleet.next_key(),
                self.server,
                self._opener,
                owner=owner,
                profile=profile,
                spoken=self.spoken,
                starts=self._starts,
                keeper=self,
                freezer=self._freezer,
            )
        )
        self._look()

    def _kind_for(self, client: ClientProfile, greeting: ClientProfile) -> str:
        """What a server was told of its client that serves calls of `client`, and is greeted with `greeting`."""
        return spoken_key(self.spoken.era_for(client.era), greeting)

    def _look(self) -> None:
        """Has `run` look at what is to be done."""
        if not self._looking:
            self._looking = True
            self._mailbox.address.tell("look")

    def _is_outdated(self, container: Container) -> bool:
        """Whether it runs an earlier launch, whose lists say nothing of the present one."""
        return container.server.list_key != self.server.list_key

    def _wake_idle_waiters(self) -> None:
        """Has those who wait for the pool to be idle look again, after the present step."""
        if self._idle_waiters:
            self._idle_waiters.unpark_all()
