"""Supervision as OTP does it, by Trio's means. Must not know what its children do.

One-for-one: a child that crashes is restarted alone, after a pause, with its mailboxes kept. A child that crashes more
often than its spec allows takes its supervisor down, in order, and the parent decides.

Source: Erlang/OTP Design Principles, "Supervisor Behaviour" (restart intensity, child specification).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from random import Random
from typing import Any, Literal

import msgspec
import trio

from actors.kit.backoff import Backoff, BackoffPolicy
from actors.kit.mailbox import Mailbox
from gateway.errors import ActorGone, GatewayError, RestartLimitExceeded
from gateway.limits import RESTART_INTENSITY, RESTART_PERIOD_S, SHUTDOWN_S
from gateway.telemetry.log import get_logger

_log = get_logger("supervisor")

Restart = Literal["permanent", "transient", "temporary"]
"""When a child is started anew: whenever it ends; when it crashed; never."""
State = Literal["starting", "running", "restarting", "stopping"]


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How one child is run, restarted and stopped.

    `run` is awaited for the child's whole life; with `signals_start` it gets a `task_status` and calls its
    `started()` once it serves, and only then the next child is started.
    `stop` asks the child to end by itself (a tell, never blocking); without it, stopping means cancelling.
    `mailboxes` outlive a restart. At each end of the child, asks in its hand are failed; at the last one they close.
    A mailbox that must outlive the restart of a whole supervisor is listed in that supervisor's own spec instead.
    """

    name: str
    run: Callable[..., Awaitable[object]]
    restart: Restart = "permanent"
    intensity: int = RESTART_INTENSITY
    period_s: float = RESTART_PERIOD_S
    backoff: BackoffPolicy = BackoffPolicy()
    shutdown_s: float = SHUTDOWN_S
    signals_start: bool = False
    stop: Callable[[], object] | None = None
    mailboxes: tuple[Mailbox[Any], ...] = ()


class ChildState(msgspec.Struct, frozen=True):
    """A child at one moment. `since` is when `state` began, on trio's clock; `mail` waits in its spec's mailboxes."""

    name: str
    state: State
    restarts: int
    since: float
    mail: int = 0


class Supervisor:
    """Runs children, and restarts those that end when they should not.

    Args:
        name: As it is called in logs and messages.
        random: Where the jitter of pauses comes from.
        children: Started in this order by `run`, stopped in reverse.
    """

    def __init__(self, name: str, random: Random, children: Iterable[ChildSpec] = ()) -> None:
        self._name = name
        self._random = random
        self._specs = tuple(children)
        self._children: dict[str, _Child] = {}
        self._nursery: trio.Nursery | None = None  # set while children may be started
        self._serving = trio.CancelScope()  # cancelled to end `run` in order
        self._ended = trio.Event()
        self._ended.set()
        self._failure: RestartLimitExceeded | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Starts the children in order, signals, and supervises until `stop`. May be run again after its end.

        Stopped while the children come up, it signals too: there is nothing more to wait for.

        Cancellation: all children are cancelled at once; for an end in order, `stop` first.

        Raises:
            RestartLimitExceeded: from a child's last crash; all others have been stopped.
        """
        self._serving, self._ended, self._failure = trio.CancelScope(), trio.Event(), None
        up = False
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                try:
                    with self._serving:
                        for spec in self._specs:
                            await self._spawn(nursery, spec).up.wait()
                        task_status.started()
                        up = True
                        await trio.sleep_forever()
                finally:
                    # A nursery that closes takes no more children.
                    self._nursery = None
                if not (up or self._failure):
                    task_status.started()
                await self._stop_children()
        finally:
            self._ended.set()
        if self._failure is not None:
            raise self._failure

    def start_child(self, spec: ChildSpec) -> None:
        """Starts one more child, now. Children started so have no order among themselves: they stop together.

        Raises:
            ActorGone: the supervisor does not run, or is stopping.
        """
        if self._nursery is None or self._serving.cancel_called:
            raise ActorGone(f"{self._name} is not running and starts nothing")
        self._spawn(self._nursery, spec)

    async def stop_child(self, name: str) -> None:
        """Stops a child for good and waits for its end; one that has ended already is no error.

        Cancellation: the child is cancelled at once.
        """
        if name in self._children:
            await self._children[name].stop()

    async def stop(self) -> None:
        """Stops all children, and with them `run`; returns when both are done. Nothing to do outside of a run.

        First those of `start_child`, together, then the others in reverse order of their start. Each is asked to
        end, and cancelled after its `shutdown_s`.
        """
        self._serving.cancel()
        await self._ended.wait()

    def children(self) -> list[ChildState]:
        """All living children, in order of their start."""
        return [child.report() for child in self._children.values()]

    def __repr__(self) -> str:
        """`<Supervisor root: watcher running, pool restarting (2 restarts)>`."""
        return f"<Supervisor {self._name}: {', '.join(map(repr, self._children.values())) or 'no children'}>"

    def _spawn(self, nursery: trio.Nursery, spec: ChildSpec) -> _Child:
        if spec.name in self._children:
            raise ValueError(f"{self._name} has a child {spec.name} already")  # a bug, not a fault
        child = _Child(spec, self._random)
        self._children[spec.name] = child
        nursery.start_soon(self._keep, child, name=f"{self._name}/{spec.name}")
        return child

    async def _keep(self, child: _Child) -> None:
        """One child from its first life to its last."""
        pause_s: float | None = 0.0
        try:
            while pause_s is not None:
                crash = await child.live(pause_s)
                pause_s = self._after(child, crash)
        finally:
            del self._children[child.spec.name]
            child.bury()

    def _after(self, child: _Child, crash: Exception | None) -> float | None:
        """What follows the end of a life: the pause before the next one, or None for no next one."""
        if crash is not None:
            _log.crash("child_crashed", crash, supervisor=self._name, child=child.spec.name)
        if self._serving.cancel_called or not child.is_due(crash):
            return None
        if child.may_restart():
            return child.backoff.next_s()
        self._fail(child.spec, crash)
        return None

    def _fail(self, spec: ChildSpec, crash: Exception | None) -> None:
        self._failure = RestartLimitExceeded(
            f"{spec.name} ended more than {spec.intensity} times in {spec.period_s:g} s; {self._name} gives up"
        )
        self._failure.__cause__ = crash
        self._serving.cancel()

    async def _stop_children(self) -> None:
        ordered = {spec.name for spec in self._specs}
        async with trio.open_nursery() as nursery:
            for name, child in self._children.items():
                if name not in ordered:
                    nursery.start_soon(child.stop)
        for child in reversed(list(self._children.values())):
            await child.stop()


class _Child:
    """The state of one child over all its lives. It is its own `task_status`."""

    def __init__(self, spec: ChildSpec, random: Random) -> None:
        self.spec = spec
        policy = spec.backoff
        self.backoff = Backoff(policy.base_s, policy.cap_s, random, policy.calm_s)
        self.up = trio.Event()
        """Set when the child serves for the first time, or it is known that it never will."""
        self._ended = trio.Event()  # set after its last life
        self._stopping = False  # whether it was told to end: no more restarts
        self._scope = trio.CancelScope()  # around the present life, or the coming one
        self._ends: deque[float] = deque()  # when it ended though it should not, within `period_s`
        self._restarts = 0
        self._enter("starting")

    async def live(self, pause_s: float) -> Exception | None:
        """One life, after a pause: returns when it has ended, with what it crashed of."""
        try:
            with self._scope:
                await trio.sleep(pause_s)
                await self._run()
        # Outside the scope: a cancelled child whose clean-up fails raises both, and only here are the two parted.
        except Exception as error:  # noqa: BLE001 — whatever a child dies of is a crash
            return error
        finally:
            for mailbox in self.spec.mailboxes:
                mailbox.fail_taken()
        return None

    async def _run(self) -> None:
        if self.spec.signals_start:
            self._enter("starting")
            await self.spec.run(task_status=self)
        else:
            self.started()
            await self.spec.run()

    def started(self, _value: None = None) -> None:
        """The child serves. Called by itself where it `signals_start`."""
        self._enter("running")
        self.up.set()

    def is_due(self, crash: Exception | None) -> bool:
        """Whether a child that ended so is to be started anew."""
        if self._stopping or self.spec.restart == "temporary":
            return False
        return self.spec.restart == "permanent" or crash is not None

    def may_restart(self) -> bool:
        """Notes an end that asks for a restart, and says whether the spec still allows one."""
        now = trio.current_time()
        self._ends.append(now)
        while self._ends[0] <= now - self.spec.period_s:
            self._ends.popleft()
        if len(self._ends) > self.spec.intensity:
            return False
        self._restarts += 1
        self._scope = trio.CancelScope()
        self._enter("restarting")
        return True

    async def stop(self) -> None:
        """Ends the child for good. Whoever comes second waits with the first."""
        if not self._stopping:
            self._stopping = True
            try:
                await self._end_by_itself()
            finally:
                self._scope.cancel()
        await self._ended.wait()

    async def _end_by_itself(self) -> None:
        """Asks the child to end, and gives it `shutdown_s`; returns at once where it cannot be asked."""
        asks = self.spec.stop if self._state == "running" else None
        self._enter("stopping")
        if asks is None:
            return
        with suppress(GatewayError), trio.move_on_after(self.spec.shutdown_s):
            asks()
            await self._ended.wait()

    def bury(self) -> None:
        """The last life is over."""
        for mailbox in self.spec.mailboxes:
            mailbox.close()
        self.up.set()
        self._ended.set()

    def report(self) -> ChildState:
        """How it is now."""
        mail = sum(mailbox.depth for mailbox in self.spec.mailboxes)
        return ChildState(self.spec.name, self._state, self._restarts, self._since, mail)

    def _enter(self, state: State) -> None:
        self._state: State = state
        self._since = trio.current_time()

    def __repr__(self) -> str:
        """`pool restarting (2 restarts)`."""
        plural = "" if self._restarts == 1 else "s"
        restarts = f" ({self._restarts} restart{plural})" if self._restarts else ""
        return f"{self.spec.name} {self._state}{restarts}"
