"""One running server as its pool sees it: whose it is, whether it takes calls, what is open in it.

Its life is `actors.container_life`. Must not know how calls are placed; that is the pool's business, which reads this
object's fields and gets its mail.
"""

from __future__ import annotations

from functools import partial

import trio

from actors.assignment import Slot
from actors.call import Answer, Call
from actors.container_life import ContainerLife
from actors.frost import Frost
from actors.keeper import Keeper
from actors.list_reading import read_lists
from actors.liveness import end_when_hung
from actors.open_tasks import OpenTasks
from actors.relisting import Relisting
from actors.server_request import ServerRequest
from actors.starts import Starts
from actors.subscribing import SUBSCRIBING, Subscribing
from actors.upstream import Opener, Upstream
from actors.upstream_listener import Listener
from gateway.catalog.model import EnabledServer
from gateway.errors import BackendError, GatewayError, Gone
from gateway.jsonrpc.messages import Notification
from gateway.mcp.profile import ClientProfile, spoken_key
from gateway.mcp.spoken import Spoken
from gateway.ports import Freezer
from gateway.telemetry.log import get_logger

log = get_logger("container")


class Container(Listener):
    """One running server, from the decision to start it until nothing of it is left.

    Args:
        key: its number in the pool.
        server: what it runs.
        opener: how it is started.
        owner: whose it is from the start on, None for a spare.
        profile, spoken, starts: see `ContainerLife`.
        keeper: the pool.
        freezer: what freezes it; None where nothing does.
    """

    def __init__(
        self,
        key: int,
        server: EnabledServer,
        opener: Opener,
        *,
        owner: str | None,
        profile: ClientProfile | None,
        spoken: Spoken,
        starts: Starts,
        keeper: Keeper[Container],
        freezer: Freezer | None = None,
    ) -> None:
        self.key = key
        self.server = server
        self.owner = owner
        self.upstream: Upstream | None = None
        """None before it was greeted."""
        self._subscribing = Subscribing(server.name)
        self.subscriptions = self._subscribing.uris
        """The resources that its owner subscribed to: they live as long as it does."""
        self.lists = Relisting(
            took=partial(keeper.listed, self), failed=partial(keeper.list_failed, self)
        )
        self.started = trio.current_time()
        self.idle_since = self.started
        self.measured_bytes: int | None = None  # the memory that it used when that was asked last
        self.life = ContainerLife(
            server, opener, profile=profile, spoken=spoken, starts=starts, lived=self, listener=self
        )
        self._retired = False
        self._tasks = OpenTasks()
        self._keeper = keeper
        self._freezer = freezer
        self._frost: Frost | None = None
        """None before it was greeted, and where it cannot be frozen."""

    def __repr__(self) -> str:
        """Its number, state and owner."""
        return f"<Container {self.server.name}#{self.key} {self.state} owner={self.owner}>"

    @property
    def ready(self) -> bool:
        """Whether the handshake was done."""
        return self.upstream is not None

    @property
    def open(self) -> bool:
        """Whether it runs, greeted or not."""
        return self.life.pipe is not None

    @property
    def frozen(self) -> bool:
        """Whether it stands still, or is on its way there or back."""
        return self._frost is not None and self._frost.frozen

    @property
    def freezable(self) -> bool:
        """Whether it can be frozen now: it is ready, and nothing is asked of it."""
        return (
            self._frost is not None
            and not (
                self.frozen or self.stale or self.inflight or self.lists.underway or self._tasks
            )
            and not self.subscriptions
        )

    def freeze(self) -> None:
        """Has it stand still, if it can now."""
        if self._frost is not None and self.freezable:
            self._frost.freeze()

    def thaw(self) -> None:
        """Has it go on, if it stands still; `Keeper.thawed` follows."""
        if self._frost is not None:
            self._frost.thaw()

    @property
    def stale(self) -> bool:
        """It takes no new call: outdated, stopping, used up under `call` isolation, or dead."""
        return self._retired or self.upstream_ended

    @property
    def upstream_ended(self) -> bool:
        """Whether the server is gone, so that this life is about to end."""
        return self.upstream is not None and self.upstream.ended is not None

    @property
    def inflight(self) -> int:
        """Calls that wait for its answer."""
        return self.upstream.inflight if self.upstream is not None else 0

    @property
    def state(self) -> str:
        """One word for people."""
        if self.life.stopped.is_set():
            return "stopping"
        if not self.ready:
            return "open" if self.open and not self.life.told else "starting"
        if self.frozen:
            return "frozen"
        if self.inflight:
            return "busy"
        return "warm" if self.owner is None else "idle"

    @property
    def name(self) -> str:
        """What a person would look for, "" before it is started."""
        return self.life.pipe.name if self.life.pipe is not None else ""

    def slot(self) -> Slot:
        """What the pool's decisions need to know."""
        return Slot(
            key=self.key,
            owner=self.owner,
            ready=self.ready and not self.frozen,
            inflight=self.inflight,
            stale=self.stale,
            idle_since=max((self.idle_since, *self._tasks)),
            profile=spoken_key(self.life.era, self.life.profile),
            pinned=bool(self.subscriptions),
            stopping=self.life.stopped.is_set() or self.upstream_ended,
            told=self.life.told,
            open=self.open,
            frozen=self._frost is not None and self._frost.frozen and not self._frost.thawing,
        )

    def has_room(self, max_inflight: int) -> bool:
        """Whether it takes a call now, where it may have so many at a time."""
        upstream = self.upstream
        return (
            upstream is not None
            and upstream.ended is None
            and not self._retired
            and upstream.inflight < max_inflight
        )

    def start(self, call: Call) -> None:
        """Sends a call to the server."""
        if self.upstream is None:
            call.settle(None)
        elif call.method in SUBSCRIBING and self._subscribing.take(call):
            # No answer to a request has the pool look.
            self._keeper.free_earlier(self)
        else:
            self.upstream.start(call)

    def retire(self) -> None:
        """Takes no more calls; what is in flight may end."""
        self._retired = True

    def stop(self) -> None:
        """Takes no more calls and goes away. Calls in flight fail."""
        self.retire()
        self.life.stop()

    async def kill(self) -> None:
        """Ends it at once, without grace. `run` returns soon after."""
        self.retire()
        await self.life.kill()

    async def run(self) -> None:
        """Lives. Returns when nothing of the server is left; never raises but for cancellation."""
        error: GatewayError | None = None
        try:
            error = await self.life.run()
        finally:
            self.retire()
            self._keeper.exited(self, error)

    def opened(self) -> None:
        """It runs; without a client it waits to be told of one."""
        self.idle_since = trio.current_time()
        if not self.life.told:
            self._keeper.opened(self)

    def greeted(self, upstream: Upstream) -> None:
        """The handshake is done."""
        self.upstream = upstream
        self._subscribing.begin(upstream, missed=self.missed)
        self.idle_since = trio.current_time()
        took_ms = round(self.life.start_s * 1000)
        log.info("server_ready", server=self.server.name, name=upstream.pipe.name, ms=took_ms)
        if self._freezer is not None:
            self._frost = Frost(self._freezer, upstream.pipe.name)
        self._keeper.became_ready(self)

    async def keep(self, upstream: Upstream) -> None:
        """Reads its lists, freezes it, listens to it and asks whether it has hung, as told; until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._subscribing.run)
            nursery.start_soon(self.lists.run, partial(read_lists, upstream))
            nursery.start_soon(self._keep_frost, upstream)
            nursery.start_soon(end_when_hung, upstream)

    async def _keep_frost(self, upstream: Upstream) -> None:
        """Freezes and thaws it as told; what cannot be thawed is of no use to anyone."""
        while self._frost is not None:
            try:
                await self._frost.next_thaw()
            except BackendError as error:
                upstream.end(Gone(f"server {self.server.name} could not be thawed: {error}"))
                return
            self.idle_since = trio.current_time()
            self._keeper.thawed(self)

    # --- what the upstream tells -------------------------------------------------------------------------------

    def answered(self, at: float) -> None:
        """A call was settled."""
        if not self.inflight:
            self.idle_since = max(self.idle_since, at)
        self._keeper.has_room(self)

    def untaken(self, call: Call | None, reason: str) -> bool:
        """The connection, or the session, is over: nothing more goes there, and what was refused goes elsewhere."""
        return self._keeper.untaken(self, call, reason)

    def lost(self, call: Call, reason: str) -> bool:
        """A call that may have been executed."""
        return self._keeper.lost(self, call, reason)

    def tasked(self, call: Call, answer: Answer) -> None:
        """A server with a task works on, though it owes no answer: it counts as busy until the task is over."""
        if self._tasks.see(call, answer):
            self._keeper.free_earlier(self)

    def list_changed(self, method: str) -> None:
        """The server says that a list changed: all are read again, several changes at once."""
        log.debug("list_changed", server=self.server.name, method=method)
        self.lists.announce()

    def missed(self) -> None:
        """Whatever it tells unasked may have changed: its lists, and what its owner has subscribed to."""
        log.debug("news_missed", server=self.server.name)
        self.lists.announce()
        for updated in self._subscribing.as_if_changed():
            self._keeper.notified(self, updated)

    def notified(self, notification: Notification) -> None:
        """A notification that belongs to no call."""
        if (own := self._subscribing.passed_on(notification)) is not None:
            self._keeper.notified(self, own)

    def asked(self, request: ServerRequest) -> None:
        """A request to the client."""
        self._keeper.asked(self, request)
