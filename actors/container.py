"""The life of one running server: opened, greeted, ready, used by one owner, stopped.

The same life serves containers, local processes and remote servers: they differ in the `Opener` only. Must not know
how calls are placed; that is the pool's business, which reads this object's fields and gets its mail.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import msgspec
import trio

from actors.assignment import Slot
from actors.call import Answer, Call
from actors.frost import Frost
from actors.greeting import WrongEra, greet
from actors.list_reading import read_lists
from actors.listening import Listening
from actors.liveness import end_when_hung
from actors.server_request import ServerRequest
from actors.starts import Starts
from actors.upstream import Listener, Opener, Upstream
from gateway import limits
from gateway.catalog.model import ContainerLaunch, EnabledServer, ProcessLaunch, RemoteLaunch
from gateway.errors import BackendError, GatewayError, Gone, StartFailed
from gateway.jsonrpc.messages import Failure, Notification
from gateway.mcp import listen, tasks
from gateway.mcp.listing import ServerLists
from gateway.mcp.profile import NEUTRAL, ClientProfile
from gateway.mcp.spoken import Spoken
from gateway.mcp.versions import Era
from gateway.ports import Freezer, MessagePipe, Runtime, StartRequest
from gateway.telemetry.log import get_logger
from gateway.upstreams.stdio import StdioPipe

log = get_logger("container")

_decode_text = msgspec.json.Decoder(str).decode
_CLOSE_S = 2 * (limits.STOP_DEADLINE_S + limits.REMOVE_TIMEOUT_S)
_SUBSCRIBING = frozenset({"resources/subscribe", "resources/unsubscribe"})


class Keeper(Protocol):
    """The pool, as its containers see it. All of it returns at once."""

    def opened(self, container: Container) -> None:
        """It runs, and waits to be told of a client."""

    def became_ready(self, container: Container) -> None:
        """The handshake is done."""

    def thawed(self, container: Container) -> None:
        """It was frozen, and takes calls again."""

    def has_room(self, container: Container) -> None:
        """A call was answered."""

    def untaken(self, container: Container, call: Call | None, reason: str) -> bool:
        """It takes no more calls, and has not executed that one; True where the call is sent to another now."""

    def free_earlier(self, container: Container) -> None:
        """It may be idle sooner than it seemed: a task is over, or a subscription."""

    def exited(self, container: Container, error: GatewayError | None) -> None:
        """Nothing of it is left; `error` says why where nobody asked it to stop."""

    def listed(self, container: Container, lists: ServerLists, *, announced: bool) -> None:
        """Its lists were read; `announced`: because the server said that they changed."""

    def list_failed(self, container: Container, error: GatewayError) -> None:
        """Its lists could not be read."""

    def notified(self, container: Container, notification: Notification) -> None:
        """It sent a notification that belongs to no call."""

    def asked(self, container: Container, request: ServerRequest) -> None:
        """It wants something of its client."""


class Container(Listener):
    """One running server, from the decision to start it until nothing of it is left.

    Args:
        key: its number in the pool.
        server: what it runs.
        opener: how it is started.
        owner: whose it is from the start on, None for a spare.
        profile: the client that it is started for; a legacy server is told of it, once. None: it is not spoken to before
            `tell` names one.
        spoken: which eras the server is known to speak.
        starts: how many may start at a time, over all servers.
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
        keeper: Keeper,
        freezer: Freezer | None = None,
    ) -> None:
        self.key = key
        self.server = server
        self.owner = owner
        self.profile = profile or NEUTRAL
        self._told = trio.Event()
        """Set once it is known for which client it is greeted."""
        if profile is not None:
            self._told.set()
        self.spoken = _carried(server, spoken)
        """Which eras it is known to speak; what was found out while greeting it included."""
        self.subscriptions: set[bytes] = set()
        """The resources that its owner subscribed to, as JSON texts: they live as long as it does."""
        self.tasks: dict[str, float] = {}
        """Tasks of its owner that are not known to be over, and until when they are waited for."""
        self._retired = False
        self.listing = False
        """Its lists are being read."""
        self.has_listed = False
        """Its lists were read once since it started: one look for drift is enough."""
        self.upstream: Upstream | None = None
        self.started = trio.current_time()
        self.idle_since = self.started
        self.measured_bytes: int | None = None
        """The memory that it used when that was asked last."""
        self.start_s = 0.0
        """How long it took to start and greet it, without what it waited for."""
        self._opener = opener
        self._pipe: MessagePipe | None = None
        self._starts = starts
        self._keeper = keeper
        self._freezer = freezer
        self._frost: Frost | None = None
        """None before it was greeted, and where it cannot be frozen."""
        self._stop = trio.Event()
        self._asked = False
        """Somebody called `stop`: its end is no failure."""
        self._opening = trio.CancelScope()
        self._relist = trio.Event()
        self._announced = False
        self._listening: Listening | None = None
        """What a modern server tells unasked; None for others."""

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
        return self._pipe is not None

    @property
    def frozen(self) -> bool:
        """Whether it stands still, or is on its way there or back."""
        return self._frost is not None and self._frost.frozen

    @property
    def freezable(self) -> bool:
        """Whether it can be frozen now: it is ready, and nothing is asked of it."""
        return (
            self._frost is not None
            and not (self.frozen or self.stale or self.inflight or self.listing or self.tasks)
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
    def told(self) -> bool:
        """Whether it is known for which client it is greeted."""
        return self._told.is_set()

    @property
    def era(self) -> Era:
        """The era in which it is spoken to, or will be as far as is known."""
        if self.upstream is not None:
            return self.upstream.dialect.era
        return self.spoken.era_for(self.profile.era)

    @property
    def spoken_key(self) -> str:
        """What tells it apart from others of its kind: a modern server is told of its client in each call."""
        return spoken_key(self.era, self.profile)

    @property
    def stale(self) -> bool:
        """It takes no new call: outdated, stopping, used up under `call` isolation, or dead."""
        return self._retired or (self.upstream is not None and self.upstream.ended is not None)

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
        if self._stop.is_set():
            return "stopping"
        if not self.ready:
            return "open" if self.open and not self.told else "starting"
        if self.frozen:
            return "frozen"
        if self.inflight:
            return "busy"
        return "warm" if self.owner is None else "idle"

    @property
    def name(self) -> str:
        """What a person would look for, "" before it is started."""
        return self._pipe.name if self._pipe is not None else ""

    async def measure(self, freezer: Freezer) -> None:
        """Asks the engine what it uses; an engine that does not say leaves the former figure."""
        with suppress(BackendError):
            self.measured_bytes = await freezer.memory_bytes(self.name)

    def stderr_tail(self) -> str:
        """The last of what it wrote on its stderr."""
        return self._pipe.stderr_tail() if self._pipe is not None else ""

    def slot(self) -> Slot:
        """What the pool's decisions need to know."""
        return Slot(
            key=self.key,
            owner=self.owner,
            ready=self.ready and not self.frozen,
            inflight=self.inflight,
            stale=self.stale,
            idle_since=max((self.idle_since, *self.tasks.values())),
            profile=self.spoken_key,
            pinned=bool(self.subscriptions),
            stopping=self._stop.is_set() or self.upstream_ended,
            told=self.told,
            open=self.open,
            frozen=self._frost is not None and self._frost.frozen and not self._frost.thawing,
        )

    def tell(self, profile: ClientProfile) -> None:
        """Has it greeted for that client as soon as it runs. Only the first one counts."""
        if not self.told:
            self.profile = profile
            self._told.set()

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
            return
        if call.method == "resources/subscribe":
            self.subscriptions.add(bytes(call.fields["uri"]))
            call.observe(self._subscribed)
        elif call.method == "resources/unsubscribe":
            self.subscriptions.discard(bytes(call.fields["uri"]))
        if self._listening is not None and call.method in _SUBSCRIBING:
            self._listening.take(call)
            # No request of its own goes out, so that no answer has the pool look.
            self._keeper.free_earlier(self)
        else:
            self.upstream.start(call)

    def _subscribed(self, call: Call, answer: Answer | None) -> None:
        """A subscription was made, or not: then there is nothing to stay for."""
        if not isinstance(answer, msgspec.Raw):
            self.subscriptions.discard(bytes(call.fields["uri"]))

    def retire(self) -> None:
        """Takes no more calls; what is in flight may end."""
        self._retired = True

    def stop(self) -> None:
        """Takes no more calls and goes away. Calls in flight fail."""
        self.retire()
        self._asked = True
        self._stop.set()
        self._opening.cancel()

    async def kill(self) -> None:
        """Ends it at once, without grace. `run` returns soon after."""
        self.stop()
        if self._pipe is not None:
            await self._pipe.kill()

    def read_lists(self) -> None:
        """Reads its lists soon, and reports them to the pool."""
        self.listing = True
        self._relist.set()

    async def run(self) -> None:
        """Lives. Returns when nothing of the server is left; never raises but for cancellation."""
        error: GatewayError | None = None
        try:
            error = await self._live_once()
            if (spoken := self._other_era(error)) is not None:
                log.info("era_changed", server=self.server.name, reason=str(error))
                self.spoken = spoken
                error = await self._live_once()
        finally:
            self.retire()
            self._keeper.exited(self, None if self._asked else error)

    def _other_era(self, error: GatewayError | None) -> Spoken | None:
        """What to know of the server when it is started once more, because it was addressed in the wrong era.

        Some legacy servers exit on anything before `initialize`. None where something else is the matter.
        """
        if self.ready or self._asked:
            return None
        if isinstance(error, WrongEra):
            return Spoken(legacy=False)
        is_probed = self.spoken.modern is None and self.era == "modern"
        if isinstance(error, Gone) and is_probed:
            return self.spoken.learn("modern", speaks=False)
        return None

    async def _live_once(self) -> GatewayError | None:
        """Starts the server and serves it to its end; says why it ended."""
        error: GatewayError | None = None
        self._pipe = None
        self._opening = trio.CancelScope()
        try:
            with self._opening:
                async with self._starts.place(self.server.name):
                    began = trio.current_time()
                    self._pipe = await self._opener()
                    self.idle_since = trio.current_time()
                    self.start_s = self.idle_since - began
        except GatewayError as failure:
            error = failure
        except Exception as bug:  # noqa: BLE001 -- what one entry trips over must not end the others' servers
            log.crash("start_failed", bug, server=self.server.name)
            error = StartFailed(
                f"the gateway failed to start server {self.server.name}; its log says how"
            )
        if (pipe := self._pipe) is None:
            return error
        try:
            error = await self._serve(pipe)
        finally:
            if self._other_era(error) is None:
                self.retire()
            if self.upstream is not None:
                self.upstream.end(Gone(f"server {self.server.name} was stopped"))
            # As long as both of its steps bound themselves to: it is never what ends them.
            with trio.move_on_after(_CLOSE_S, shield=True):
                await self._close(pipe)
        return _in_full(error, pipe)

    async def _close(self, pipe: MessagePipe) -> None:
        """Stops the server: gently, unless it stands still; then it could not even read the end of its input."""
        if self.frozen:
            await pipe.kill()
        await pipe.aclose()

    async def _serve(self, pipe: MessagePipe) -> GatewayError | None:
        """Greets the server and keeps the connection until it ends; says why it ended."""
        upstream = Upstream(pipe, server=self.server.name, listener=self)
        error: GatewayError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipe.run)
            nursery.start_soon(upstream.run)
            nursery.start_soon(self._end_when_stopped, nursery.cancel_scope)
            try:
                await self._greet(upstream)
            except GatewayError as failure:
                error = failure
            else:
                self._greeted(upstream)
                if self._listening is not None:
                    nursery.start_soon(self._listening.run)
                nursery.start_soon(self._keep_listing, upstream)
                nursery.start_soon(self._keep_frost, upstream)
                nursery.start_soon(end_when_hung, upstream)
                await upstream.wait_gone()
                error = upstream.ended
            nursery.cancel_scope.cancel()
        return error

    async def _greet(self, upstream: Upstream) -> None:
        """Does the handshake, once it is known for whom.

        Raises:
            GatewayError: it failed, or the server ended before.
        """
        if not self.told:
            self._keeper.opened(self)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when_gone, upstream, nursery.cancel_scope)
                await self._told.wait()
                nursery.cancel_scope.cancel()
            if upstream.ended is not None:
                raise upstream.ended
        began = trio.current_time()
        self.spoken = await greet(
            upstream,
            within_s=self.server.pooling.init_timeout_s,
            profile=self.profile,
            spoken=self.spoken,
        )
        self.start_s += trio.current_time() - began

    def _greeted(self, upstream: Upstream) -> None:
        """The handshake is done."""
        self.upstream = upstream
        if upstream.dialect.era == "modern":
            self._listening = Listening(upstream, missed=self.read_lists)
        self.idle_since = trio.current_time()
        took_ms = round(self.start_s * 1000)
        log.info("server_ready", server=self.server.name, name=upstream.pipe.name, ms=took_ms)
        if self._freezer is not None:
            self._frost = Frost(self._freezer, upstream.pipe.name)
        self._keeper.became_ready(self)

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

    async def _end_when_stopped(self, scope: trio.CancelScope) -> None:
        """Ends the life once `stop` was called, at whatever point it is."""
        await self._stop.wait()
        scope.cancel()

    async def _keep_listing(self, upstream: Upstream) -> None:
        """Reads the lists whenever asked; requests that come meanwhile are one.

        A server that keeps announcing changes is read ever more seldom: each change costs every client.
        """
        pause_s = limits.RELIST_PAUSE_S
        while True:
            with trio.move_on_after(limits.RELIST_PAUSE_CAP_S) as quiet:
                await self._relist.wait()
            if quiet.cancelled_caught:
                pause_s = limits.RELIST_PAUSE_S
                await self._relist.wait()
            self._relist = trio.Event()
            announced, self._announced = self._announced, False
            try:
                lists = await read_lists(upstream)
            except GatewayError as error:
                self._keeper.list_failed(self, error)
            else:
                self.has_listed = True
                self._keeper.listed(self, lists, announced=announced)
            self.listing = False
            if announced:
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, limits.RELIST_PAUSE_CAP_S)

    # --- what the upstream tells -------------------------------------------------------------------------------

    def answered(self) -> None:
        """A call was settled."""
        if not self.inflight:
            self.idle_since = trio.current_time()
        self._keeper.has_room(self)

    def untaken(self, call: Call | None, reason: str) -> bool:
        """The connection, or the session, is over: nothing more goes there, and what was refused goes elsewhere."""
        return self._keeper.untaken(self, call, reason)

    def tasked(self, call: Call, answer: Answer) -> None:
        """A server with a task works on, though it owes no answer: it counts as busy until the task is over."""
        told = None if isinstance(answer, Failure) else tasks.seen(answer)
        if told is not None and told.status not in tasks.TERMINAL:
            ttl_s = limits.TASK_CAP_S if told.ttl_ms is None else told.ttl_ms / 1000
            self.tasks[told.task_id] = trio.current_time() + min(ttl_s, limits.TASK_CAP_S)
        elif call.method == "tasks/result" or told is not None:
            over = call.fields.get("taskId")
            self.tasks.pop(told.task_id if told is not None else _text(over), None)
            self._keeper.free_earlier(self)

    def list_changed(self, method: str) -> None:
        """The server says that a list changed: all are read again, several changes at once."""
        log.debug("list_changed", server=self.server.name, method=method)
        self._announced = True
        self.read_lists()

    def notified(self, notification: Notification) -> None:
        """A notification that belongs to no call."""
        if self._listening is not None:
            if notification.method == listen.ACKNOWLEDGED:
                self._listening.acknowledged(notification)
                return
            try:
                notification = listen.untagged(notification)
            except GatewayError as error:
                log.debug("bad_notification", server=self.server.name, reason=str(error))
                return
        self._keeper.notified(self, notification)

    def asked(self, request: ServerRequest) -> None:
        """A request to the client."""
        self._keeper.asked(self, request)


def _in_full(error: GatewayError | None, pipe: MessagePipe) -> GatewayError | None:
    """Why a server ended, with what was learned since its calls were told."""
    if isinstance(error, Gone) and (obituary := pipe.obituary()):
        return Gone(obituary)
    return error


async def _cancel_when_gone(upstream: Upstream, scope: trio.CancelScope) -> None:
    """Ends a wait for something else once the server is gone."""
    await upstream.wait_gone()
    scope.cancel()


def _text(raw: msgspec.Raw | None) -> str:
    try:
        return _decode_text(raw or b'""')
    except msgspec.DecodeError:
        return ""


def spoken_key(era: Era, greeting: ClientProfile) -> str:
    """Equal for clients that one running server of that era can serve without being started anew."""
    return "modern" if era == "modern" else greeting.key


def _carried(server: EnabledServer, spoken: Spoken) -> Spoken:
    """The eras that its transport can carry: HTTP+SSE is older than the modern one."""
    launch = server.launch
    if isinstance(launch, RemoteLaunch) and launch.transport == "sse":
        return Spoken(legacy=True, modern=False)
    return spoken


def opener_of(server: EnabledServer, runtime: Runtime) -> Opener:
    """How a server with a container or process launch is started."""
    launch = server.launch
    if not isinstance(launch, ContainerLaunch | ProcessLaunch):
        raise TypeError(f"server {server.name} is neither a container nor a process")
    request = StartRequest(server=server.name, launch=launch, spec_hash=server.spec_hash)

    async def open_pipe() -> MessagePipe:
        link = await runtime.start(request)
        return StdioPipe(link, server=server.name)

    return open_pipe
