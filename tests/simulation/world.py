"""One run: the house with its engine and clients, the steps, the end, and a look at what is left.

White-box where an invariant is about what is inside: tables, queues, tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio
from msgspec import structs
from trio.testing import MockClock

from actors import supervisor
from actors.backends import Backends
from actors.container_pool import ContainerPool
from actors.kit.supervisor import ChildSpec
from actors.session import Session
from actors.supervisor import Gateway
from gateway import limits
from gateway.catalog.model import EnabledServer, Snapshot
from gateway.errors import Overloaded, RestartLimitExceeded
from gateway.home import Home
from gateway.options import GatewayOptions
from gateway.ports import Principal
from tests.fakes.house import enabled
from tests.simulation.clients import CAPABILITIES, Client, LegacyClient, ModernClient, PipeClient
from tests.simulation.determinism import Disk
from tests.simulation.engine import Engine
from tests.simulation.oracle import Oracle, Ticket
from tests.simulation.schedule import Character, Schedule, Step

ACTORS = (
    "deadlines",
    "sessions",
    "listings",
    "last-words",
    "reaper",
    "snapshots",
    "catalog-watcher",
    "call-log",
)
PRINCIPALS = (Principal("ann"), Principal("bob"))
QUIET_S = 200.0
"""Long after the last step: every deadline of a call without a sign of life has passed, and every idle container went."""
_WATCH_S = 5.0
STEADY_S = 8.0
"""How long a call of the steady server may take, whatever the others do: its own start and call take 0.3 s, and starts of
others that hang hold up a start for a few seconds."""


class Crash(Exception):
    """What an actor is made to crash of."""


class Bombs:
    """Has actors crash when told."""

    def __init__(self) -> None:
        self._fuses: dict[str, trio.Event] = {}

    def spec(self, **fields: Any) -> ChildSpec:
        """Stands for `ChildSpec`."""
        name = fields["name"]
        return ChildSpec(**{**fields, "run": partial(self._run, name, fields["run"])})

    def explode(self, name: str) -> bool:
        """Has the actor of that name, or whose name begins so, crash."""
        for key, fuse in self._fuses.items():
            if key == name or key.startswith(f"{name}:"):
                fuse.set()
                return True
        return False

    async def _run(self, name: str, run: Callable[[], Any]) -> None:
        fuse = self._fuses[name] = trio.Event()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wait, fuse)
                await run()
                nursery.cancel_scope.cancel()
        finally:
            if self._fuses.get(name) is fuse:
                del self._fuses[name]

    async def _wait(self, fuse: trio.Event) -> None:
        await fuse.wait()
        raise Crash("as told")


class NoLock:
    """Stands for the lock of this instance: nobody else uses the home."""

    instance_id = "simulated"

    def release(self) -> None:
        """Nothing to release."""


class World:
    """A gateway, its surroundings, and what is done to them."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        oracle: Oracle,
        engine: Engine,
        disk: Disk,
        clock: MockClock,
        home: Path,
    ) -> None:
        self.schedule = schedule
        self.oracle = oracle
        self.engine = engine
        self.disk = disk
        self.clock = clock
        self.bombs = Bombs()
        self.clients: list[Client] = []
        self._servers: dict[str, EnabledServer] = {}
        self._characters = {one.name: one for one in schedule.servers}
        self._versions: dict[str, int] = {}
        self._crashes = 0
        self._troubled_until = 0.0
        """Until when everybody, the steady server too, may feel what was done to the gateway or the engine as a whole."""
        for character in schedule.servers:
            self._enable(character)
        options = GatewayOptions(home=str(home), watch=False, names="prefix")
        backends = Backends(Home(home), NoLock(), engine=engine, docker=None, processes=engine)  # type: ignore[arg-type]
        self.gateway = Gateway(
            options, {}, snapshot=self._snapshot(), load=self._snapshot, backends=backends
        )

    # --- configuration -----------------------------------------------------------------------------------------

    def _enable(self, character: Character) -> None:
        """Takes a server into the configuration, as another version of it where it was there before."""
        version = self._versions[character.name] = self._versions.get(character.name, 0) + 1
        spec_hash = f"{character.name}-v{version}"
        server = enabled(
            character.name,
            isolation=character.isolation,  # type: ignore[arg-type]
            spec_hash=spec_hash,
            warm=character.warm,
            max=character.max,
            max_inflight=character.max_inflight,
            idle_s=character.idle_s,
            timeout_s=character.timeout_s,
            init_timeout_s=character.init_timeout_s,
            long_lived=character.long_lived,
        )
        self._servers[character.name] = server
        self.engine.characters[spec_hash] = (character, character.isolation)

    def _snapshot(self) -> Snapshot:
        return Snapshot(servers=dict(self._servers))

    # --- the run -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Does all steps, lets things settle, and ends the gateway."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._live)
            watching = trio.CancelScope()
            nursery.start_soon(self._watch, watching)
            for step in self.schedule.steps:
                await trio.sleep(step.after_s)
                for _ in range(step.turns):
                    await trio.lowlevel.checkpoint()
                self.oracle.note("step", step.kind, step.a, step.b)
                self._do(step)
            await self._end()
            watching.cancel()
            nursery.cancel_scope.cancel()

    async def _live(self, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await self.gateway.run(task_status=task_status)
        except* RestartLimitExceeded:
            # Only where it was told to crash so often.
            self.oracle.note("gave up")
            if self._crashes <= limits.RESTART_INTENSITY:
                self.oracle.violate(0, "the gateway gave up, though it was not made to crash often")

        except* Crash:
            # Cancelled from outside while an actor crashes: both leave together.
            if self.schedule.end != "cancel":
                raise

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Looks at what must hold at any time, now and then."""
        with scope:
            while True:
                self.check_bounds()
                self.oracle.check_overdue()
                await trio.sleep(_WATCH_S)

    # --- steps -------------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        getattr(self, f"_step_{step.kind}")(step.a, step.b)
        self.check_bounds()

    def _present(self, kind: type[Any] = Client) -> list[Any]:
        return [one for one in self.clients if isinstance(one, kind) and not one.is_gone]

    def _step_open(self, a: int, b: int) -> None:
        kind = PipeClient if a % 7 == 0 else LegacyClient
        principal = PRINCIPALS[b % len(PRINCIPALS)]
        try:
            session = self.gateway.sessions.open(principal, transport="test")
        except Overloaded:
            self.oracle.note("refused")
            return
        name = f"c{len(self.clients) + 1}"
        said = CAPABILITIES[a % len(CAPABILITIES)]
        self.clients.append(kind(name, principal, self.oracle, session, said))

    def _step_open_modern(self, a: int, b: int) -> None:
        name = f"c{len(self.clients) + 1}"
        said = CAPABILITIES[a % len(CAPABILITIES)]
        principal = PRINCIPALS[b % len(PRINCIPALS)]
        self.clients.append(ModernClient(name, principal, self.oracle, self.gateway.sessions, said))

    def _step_call(self, a: int, b: int) -> None:
        present = self._present()
        if not present:
            self._step_open(a, b)
            present = self._present()
        if not present:
            return
        client = present[a % len(present)]
        names = list(self._characters)
        name = names[b % len(names)]
        calm = self._is_calm()
        ticket = client.call(name, self._characters[name].timeout_s, progress=b % 3 == 0)
        if name == "steady" and calm:
            self._steady.append(ticket)

    @property
    def _steady(self) -> list[Ticket]:
        if not hasattr(self, "_steady_calls"):
            self._steady_calls: list[Ticket] = []
        return self._steady_calls

    def _step_burst(self, a: int, b: int) -> None:
        for more in range(12):
            # Of one client or of many, for one server or for all.
            self._step_call(a + more * (b % 2), b + more * (a % 2))

    def _step_list(self, a: int, _b: int) -> None:
        if present := self._present():
            present[a % len(present)].list_tools()

    def _step_cancel(self, a: int, b: int) -> None:
        if ticket := self._waiting(a):
            client = next(one for one in self.clients if one.name == ticket.client)
            client.cancel(ticket)  # type: ignore[attr-defined]
            del b

    def _waiting(self, a: int) -> Ticket | None:
        waiting = [ticket for one in self._present() for ticket in one.open_tickets()]
        waiting = [ticket for ticket in waiting if not ticket.is_gone]
        return waiting[a % len(waiting)] if waiting else None

    def _step_reuse_id(self, a: int, _b: int) -> None:
        ticket = self._waiting(a)
        client = next((one for one in self.clients if ticket and one.name == ticket.client), None)
        if ticket is not None and isinstance(client, LegacyClient):
            client.reuse_id(ticket, "")

    def _step_answer(self, a: int, b: int) -> None:
        present = [one for one in self._present(LegacyClient) if not isinstance(one, PipeClient)]
        if present:
            present[a % len(present)].answer(b, refuse=b % 5 == 0)

    def _step_retry(self, a: int, b: int) -> None:
        if present := self._present(ModernClient):
            present[a % len(present)].retry(b, refuse=b % 5 == 0)

    def _step_close(self, a: int, _b: int) -> None:
        if present := self._present():
            present[a % len(present)].close()

    def _step_vanish(self, a: int, _b: int) -> None:
        if present := self._present():
            present[a % len(present)].vanish()

    def _step_attach(self, a: int, _b: int) -> None:
        if present := self._present(LegacyClient):
            present[a % len(present)].attach()

    def _step_detach(self, a: int, _b: int) -> None:
        if present := self._present(LegacyClient):
            present[a % len(present)].detach()

    def _step_bad(self, a: int, b: int) -> None:
        if present := self._present():
            method = ("no/such", "tools/call", "initialize", "completion/complete")[b % 4]
            present[a % len(present)].simple(method, {"name": 3})

    def _step_level(self, a: int, _b: int) -> None:
        if present := self._present(LegacyClient):
            present[a % len(present)].simple("logging/setLevel", {"level": "error"})

    def _step_subscribe(self, a: int, b: int) -> None:
        if present := self._present(LegacyClient):
            names = list(self._characters)
            present[a % len(present)].subscribe(names[b % len(names)])

    def _step_listen(self, a: int, _b: int) -> None:
        if present := self._present(ModernClient):
            present[a % len(present)].listen()

    def _step_unlisten(self, a: int, _b: int) -> None:
        if present := self._present(ModernClient):
            present[a % len(present)].unlisten()

    def _step_wait(self, _a: int, _b: int) -> None:
        """Time passes."""

    # --- faults ------------------------------------------------------------------------------------------------

    def _is_calm(self) -> bool:
        return (
            trio.current_time() >= self._troubled_until
            and not self.engine.is_gone
            and not self.engine.slow_s
        )

    def _trouble(self, for_s: float) -> None:
        """Something was done that everybody may feel, for so long; also those who wait already."""
        self._troubled_until = max(self._troubled_until, trio.current_time() + for_s)
        self._steady.clear()

    def _other(self, a: int) -> str:
        """One of the servers that may be troubled."""
        names = [name for name in self._characters if name != "steady"]
        return names[a % len(names)]

    def _step_kill(self, a: int, _b: int) -> None:
        live = [one for one in self.engine.live if one.character.name != "steady"]
        if live:
            live[a % len(live)].die(137)

    def _step_starts_fail(self, a: int, _b: int) -> None:
        self.engine.failing.add(self._other(a))

    def _step_starts_hang(self, a: int, _b: int) -> None:
        self.engine.hanging.add(self._other(a))

    def _step_starts_well(self, _a: int, _b: int) -> None:
        self.engine.failing.clear()
        self.engine.hanging.clear()

    def _step_engine_slow(self, a: int, _b: int) -> None:
        self.engine.slow_s = 1.0 + a % 5
        self._trouble(60.0)

    def _step_engine_gone(self, _a: int, _b: int) -> None:
        self.engine.is_gone = True
        self._trouble(60.0)

    def _step_engine_back(self, _a: int, _b: int) -> None:
        if self.engine.is_gone or self.engine.slow_s:
            self._trouble(60.0)
        self.engine.is_gone = False
        self.engine.slow_s = 0.0

    def _step_crash_pool(self, a: int, _b: int) -> None:
        self._crash(f"pool:{self._other(a)}")

    def _step_crash_actor(self, a: int, _b: int) -> None:
        self._trouble(10.0)
        self._crash(ACTORS[a % len(ACTORS)])

    def _crash(self, name: str) -> None:
        if self._crashes < limits.RESTART_INTENSITY and self.bombs.explode(name):
            self._crashes += 1

    def _step_reload(self, a: int, b: int) -> None:
        name = self._other(a)
        match b % 5:
            case 0 if len(self._servers) > 1:
                self._servers.pop(name, None)
            case 1:
                self._enable(self._characters[name])
            case 2 if name in self._servers:
                tools = frozenset({"echo"})
                self._servers[name] = structs.replace(self._servers[name], tools=tools)
            case 3:
                self._characters[name] = structs.replace(
                    self._characters[name], max=1 + b % 4, warm=b % 2
                )
                self._enable(self._characters[name])
            case _:
                self._enable(structs.replace(self._characters[name], greeting="ok"))
        self.gateway.reload()

    def _step_disk(self, a: int, _b: int) -> None:
        self.disk.takes_s = (0.0, 0.1, 3.0)[a % 3]
        self.disk.full = a % 5 == 0
        self._trouble(10.0)

    def _step_jump(self, a: int, _b: int) -> None:
        jump_s = float(1 + 30 * (a % 5))
        self.clock.jump(jump_s)
        for ticket in self.oracle.open.values():
            # The gateway stood still: it cannot have answered meanwhile.
            ticket.allowed_s += jump_s
        self._trouble(0.0)

    def _step_announce(self, a: int, _b: int) -> None:
        live = self.engine.live
        if live:
            live[a % len(live)].server.announce()

    # --- the end -----------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Lets all settle, in a world without further trouble, then ends the gateway as the schedule says."""
        self._step_starts_well(0, 0)
        self._step_engine_back(0, 0)
        self.disk.takes_s, self.disk.full = 0.0, False
        if self.schedule.end == "settle":
            await self._settle()
        self.oracle.note("end", self.schedule.end)
        if self.schedule.end == "cancel":
            self._steady.clear()
            return
        if self.schedule.end == "hurry":
            self._steady.clear()
            self.gateway.hurry()
        else:
            await self._drain()
        began = trio.current_time()
        await self.gateway.stop()
        if (took_s := trio.current_time() - began) > limits.EXIT_S:
            self.oracle.violate(3, f"the end took {took_s:.0f} s")

    async def _settle(self) -> None:
        """Waits until nothing can be under way, then looks whether it is so."""
        await trio.sleep(QUIET_S)
        if any(ticket.allowed_s > QUIET_S for ticket in self.oracle.open.values()):
            return
        removed = [one.name for one in self.engine.live if one.character.name not in self._servers]
        if removed:
            self.oracle.violate(3, f"their server was removed, and they still run: {removed}")
        for pool in self._pools():
            waiting = [t for t in self.oracle.open.values() if t.method != "subscriptions/listen"]
            if waiting:
                continue
            # The gateway itself may be reading its lists now and then; a call that was never given back stays.
            with trio.move_on_after(limits.LIST_TIMEOUT_S):
                await pool.wait_idle()
            if not pool.idle():
                self.oracle.violate(2, f"no call waits, and {pool!r} is busy")

    async def _drain(self) -> None:
        with trio.move_on_after(limits.DRAIN_TIMEOUT_S) as patience:
            await self.gateway.drain()
        waiting = [
            ticket
            for ticket in self.oracle.open.values()
            if not (ticket.is_gone or ticket.is_cancelled)
            and ticket.method != "subscriptions/listen"
        ]
        if patience.cancelled_caught and not waiting and not self._is_kept_busy():
            self.oracle.violate(1, "the drain waited for nothing")
        if not patience.cancelled_caught and waiting:
            self.oracle.violate(1, f"the drain left request {waiting[0].number} without an answer")

    def _is_kept_busy(self) -> bool:
        """Whether a request of a client that vanished keeps a session busy."""
        return any(ticket.is_gone for ticket in self.oracle.open.values())

    # --- what must hold ----------------------------------------------------------------------------------------

    def _pools(self) -> Iterator[ContainerPool]:
        return (door for door in self.gateway.doors.values() if isinstance(door, ContainerPool))

    def check_bounds(self) -> None:
        """No table and no queue is longer than it may be."""
        sessions = self.gateway.sessions
        desk = sessions.desk
        self._bound("sessions", len(sessions), limits.MAX_SESSIONS)
        self._bound("stateless calls", len(desk._calls), limits.MAX_STATELESS_CALLS)
        self._bound("listeners", len(desk._listeners), limits.MAX_LISTENERS)
        for call in desk._calls._calls.values():
            self._bound("questions of a call", len(call._asked), limits.MAX_SERVER_REQUESTS)
        for session in sessions._sessions.values():
            self._check_session(session)
        for pool in self._pools():
            self._bound("mail of a pool", pool._mailbox.depth, 1)
            for one in pool._fleet:
                if one.upstream is not None:
                    asked = len(one.upstream._asked)
                    bound = limits.MAX_SERVER_REQUESTS * (1 + limits.MAX_STATELESS_CALLS)
                    self._bound("questions of a server", asked, bound)
        for name in self._characters:
            live = sum(1 for link in self.engine.live if link.character.name == name)
            most = max(one.max for one, _ in self.engine.characters.values() if one.name == name)
            self._bound(f"containers of {name}", live, 2 * most * self._versions[name])

    def _check_session(self, session: Session) -> None:
        waiting = len(session._calls) + len(session._pending) + len(session._stateless)
        self._bound("requests of a session", waiting, limits.MAX_INFLIGHT_PER_SESSION)
        self._bound("questions to a client", len(session._back_channel), limits.MAX_SERVER_REQUESTS)

    def _bound(self, what: str, count: int, bound: int) -> None:
        if count > bound:
            self.oracle.violate(6, f"{count} {what}, {bound} are allowed")

    def check_steady(self) -> None:
        """Calls of the server without troubles succeeded, and soon, whatever became of the others."""
        for ticket in self._steady:
            if ticket.is_cancelled or ticket.is_gone or ticket.is_open:
                continue
            if (took_s := ticket.finished_at - ticket.sent_at) > STEADY_S:
                self.oracle.violate(
                    5, f"call {ticket.number} of the steady server took {took_s:.1f} s"
                )
            if ticket.result is None and not _is_own_fault(ticket):
                self.oracle.violate(5, f"a call of the steady server failed: {ticket.answers}")

    def check_left(self) -> None:
        """After the end nothing of the gateway is left."""
        if left := [link.name for link in self.engine.live]:
            self.oracle.violate(3, f"containers are left: {left}")
        if self.engine.starting:
            self.oracle.violate(3, f"{self.engine.starting} starts are under way")
        sessions = self.gateway.sessions
        for what, count in (
            ("sessions", len(sessions)),
            ("stateless calls", len(sessions.desk._calls)),
            ("owners of calls", len(sessions.desk._calls._sending)),
            ("listeners", len(sessions.desk._listeners)),
            ("waiting calls", sum(len(pool._waiting) for pool in self._pools())),
            ("containers in pools", sum(len(list(pool._fleet)) for pool in self._pools())),
        ):
            if count:
                self.oracle.violate(3, f"{count} {what} are left")
        for ticket in self.oracle.open.values():
            self.oracle.violate(1, f"request {ticket.number} ({ticket.method}) never ended")


def _is_own_fault(ticket: Ticket) -> bool:
    """Whether the client asked for too much at once, or the gateway was shutting down."""
    text = msgspec.json.encode(ticket.answers[0]).decode()
    return any(
        sign in text for sign in ("wait for an answer already", "calls are open", "shutting")
    )


assert supervisor.ChildSpec is ChildSpec  # what `tests.simulation.runs` replaces
