"""The life of one running server: opened, greeted, kept until it ends, closed.

The same for containers, local processes and remote servers: they differ in the `Opener` only. Must not know whose the
server is, nor what is done with it while it lives.
"""

from __future__ import annotations

from typing import Protocol

import trio

from actors.greeting import WrongEra, greet
from actors.starts import Starts
from actors.upstream import Opener, Upstream
from actors.upstream_listener import Listener
from gateway import limits
from gateway.catalog.model import EnabledServer, RemoteLaunch
from gateway.errors import GatewayError, Gone, StartFailed
from gateway.mcp.profile import NEUTRAL, ClientProfile
from gateway.mcp.spoken import Spoken
from gateway.mcp.versions import Era
from gateway.ports import MessagePipe
from gateway.telemetry.log import get_logger

log = get_logger("container")

_CLOSE_S = 2 * (limits.STOP_DEADLINE_S + limits.REMOVE_TIMEOUT_S)


class Lived(Protocol):
    """Whose life it is. All of it but `keep` returns at once."""

    @property
    def frozen(self) -> bool:
        """Whether it stands still, or is on its way there or back."""

    def opened(self) -> None:
        """It runs; nobody has spoken to it yet."""

    def greeted(self, upstream: Upstream) -> None:
        """The handshake is done."""

    async def keep(self, upstream: Upstream) -> None:
        """Looks after it from then on; cancelled when it ends."""

    def retire(self) -> None:
        """It is about to end, and takes no more calls."""


class ContainerLife:
    """From the decision to start a server until nothing of it is left.

    Args:
        server: what it runs.
        opener: how it is started.
        profile: the client that it is started for; a legacy server is told of it, once. None: it is not spoken to before
            `tell` names one.
        spoken: which eras the server is known to speak.
        starts: how many may start at a time, over all servers.
        lived: whose life it is.
        listener: told what the server says unasked.
    """

    def __init__(
        self,
        server: EnabledServer,
        opener: Opener,
        *,
        profile: ClientProfile | None,
        spoken: Spoken,
        starts: Starts,
        lived: Lived,
        listener: Listener,
    ) -> None:
        self.profile = profile or NEUTRAL
        self.spoken = _carried(server, spoken)
        """Which eras it is known to speak; what was found out while greeting it included."""
        self.pipe: MessagePipe | None = None
        """None before it is open."""
        self.upstream: Upstream | None = None
        """None before it was greeted."""
        self.start_s = 0.0
        """How long it took to start and greet it, without what it waited for."""
        self.stopped = trio.Event()
        """Set once it was asked to end: its end is no failure then."""
        self._server = server
        self._opener = opener
        self._starts = starts
        self._lived = lived
        self._listener = listener
        self._told = trio.Event()
        """Set once it is known for which client it is greeted."""
        if profile is not None:
            self._told.set()
        self._opening = trio.CancelScope()

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

    def stderr_tail(self) -> str:
        """The last of what it wrote on its stderr."""
        return self.pipe.stderr_tail() if self.pipe is not None else ""

    def tell(self, profile: ClientProfile) -> None:
        """Has it greeted for that client as soon as it runs. Only the first one counts."""
        if not self.told:
            self.profile = profile
            self._told.set()

    def stop(self) -> None:
        """Has it end, gently. Calls in flight fail."""
        self.stopped.set()
        self._opening.cancel()

    async def kill(self) -> None:
        """Ends it at once, without grace. `run` returns soon after."""
        self.stop()
        if self.pipe is not None:
            await self.pipe.kill()

    async def run(self) -> GatewayError | None:
        """Lives. Returns when nothing of the server is left; never raises but for cancellation.

        Returns:
            Why it ended, None where somebody asked it to.
        """
        error = await self._live_once()
        if (spoken := self._other_era(error)) is not None:
            log.info("era_changed", server=self._server.name, reason=str(error))
            self.spoken = spoken
            error = await self._live_once()
        return None if self.stopped.is_set() else error

    def _other_era(self, error: GatewayError | None) -> Spoken | None:
        """What to know of the server when it is started once more, because it was addressed in the wrong era.

        Some legacy servers exit on anything before `initialize`. None where something else is the matter.
        """
        if self.upstream is not None or self.stopped.is_set():
            return None
        if isinstance(error, WrongEra):
            return Spoken(legacy=False)
        is_probed = self.spoken.modern is None and self.era == "modern"
        if isinstance(error, Gone) and is_probed:
            return self.spoken.learn("modern", speaks=False)
        return None

    async def _live_once(self) -> GatewayError | None:
        """Starts the server and serves it to its end; says why it ended."""
        error = await self._open()
        if (pipe := self.pipe) is None:
            return error
        try:
            error = await self._serve(pipe)
        finally:
            if self._other_era(error) is None:
                self._lived.retire()
            if self.upstream is not None:
                self.upstream.end(Gone(f"server {self._server.name} was stopped"))
            # As long as both of its steps bound themselves to: it is never what ends them.
            with trio.move_on_after(_CLOSE_S, shield=True):
                await self._close(pipe)
        return _in_full(error, pipe)

    async def _open(self) -> GatewayError | None:
        """Starts the server, when it is its turn; says why it has no pipe."""
        self.pipe = None
        self._opening = trio.CancelScope()
        try:
            with self._opening:
                async with self._starts.place(self._server.name):
                    began = trio.current_time()
                    self.pipe = await self._opener()
                    self.start_s = trio.current_time() - began
        except GatewayError as failure:
            return failure
        except Exception as bug:  # noqa: BLE001 -- what one entry trips over must not end the others' servers
            log.crash("start_failed", bug, server=self._server.name)
            return StartFailed(
                f"the gateway failed to start server {self._server.name}; its log says how"
            )
        return None

    async def _close(self, pipe: MessagePipe) -> None:
        """Stops the server: gently, unless it stands still; then it could not even read the end of its input."""
        if self._lived.frozen:
            await pipe.kill()
        await pipe.aclose()

    async def _serve(self, pipe: MessagePipe) -> GatewayError | None:
        """Greets the server and keeps the connection until it ends; says why it ended."""
        upstream = Upstream(pipe, server=self._server.name, listener=self._listener)
        error: GatewayError | None = None
        self._lived.opened()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipe.run)
            nursery.start_soon(upstream.run)
            nursery.start_soon(self._end_when_stopped, nursery.cancel_scope)
            try:
                await self._greet(upstream)
            except GatewayError as failure:
                error = failure
            else:
                self.upstream = upstream
                self._lived.greeted(upstream)
                nursery.start_soon(self._lived.keep, upstream)
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
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when_gone, upstream, nursery.cancel_scope)
                await self._told.wait()
                nursery.cancel_scope.cancel()
            if upstream.ended is not None:
                raise upstream.ended
        began = trio.current_time()
        self.spoken = await greet(
            upstream,
            within_s=self._server.pooling.init_timeout_s,
            profile=self.profile,
            spoken=self.spoken,
        )
        self.start_s += trio.current_time() - began

    async def _end_when_stopped(self, scope: trio.CancelScope) -> None:
        """Ends the life once `stop` was called, at whatever point it is."""
        await self.stopped.wait()
        scope.cancel()


def _in_full(error: GatewayError | None, pipe: MessagePipe) -> GatewayError | None:
    """Why a server ended, with what was learned since its calls were told."""
    if isinstance(error, Gone) and (obituary := pipe.obituary()):
        return Gone(obituary)
    return error


async def _cancel_when_gone(upstream: Upstream, scope: trio.CancelScope) -> None:
    """Ends a wait for something else once the server is gone."""
    await upstream.wait_gone()
    scope.cancel()


def _carried(server: EnabledServer, spoken: Spoken) -> Spoken:
    """The eras that its transport can carry: HTTP+SSE is older than the modern one."""
    launch = server.launch
    if isinstance(launch, RemoteLaunch) and launch.transport == "sse":
        return Spoken(legacy=True, modern=False)
    return spoken
