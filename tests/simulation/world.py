"""One run: the house with its engine and clients, the steps, the end, and a look at what is left.

What clients do is in `client_steps`, what hurts in `faults`, what must hold in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import trio
from trio.testing import MockClock

from actors import supervisor
from actors.backends import Backends
from actors.container_pool import ContainerPool
from actors.kit.supervisor import ChildSpec
from actors.supervisor import Gateway
from gateway import limits
from gateway.catalog.model import EnabledServer, Snapshot
from gateway.errors import RestartLimitExceeded
from gateway.home import Home
from gateway.options import GatewayOptions
from tests.fakes.house import enabled
from tests.simulation.bombs import Bombs, Crash
from tests.simulation.checks import Checks
from tests.simulation.client_steps import ClientSteps
from tests.simulation.clients import Client
from tests.simulation.determinism import Disk
from tests.simulation.engine import Engine
from tests.simulation.faults import Faults
from tests.simulation.oracle import Oracle, Ticket
from tests.simulation.schedule import Character, Schedule, Step

QUIET_S = 200.0
"""Long after the last step: every deadline of a call without a sign of life has passed, and every idle container went."""
_WATCH_S = 5.0


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
        self.servers: dict[str, EnabledServer] = {}
        self.characters = {one.name: one for one in schedule.servers}
        self.versions: dict[str, int] = {}
        self.crashes = 0
        self.steady: list[Ticket] = []
        """Calls of the server without troubles, as far as nobody has made trouble for all."""
        self.checks = Checks(self)
        self._steps = ClientSteps(self)
        self._faults = Faults(self)
        self._troubled_until = 0.0
        """Until when everybody, the steady server too, may feel what was done to the gateway or the engine as a whole."""
        for character in schedule.servers:
            self.enable(character)
        options = GatewayOptions(home=str(home), watch=False, names="prefix")
        backends = Backends(Home(home), NoLock(), engine=engine, docker=None, processes=engine)  # type: ignore[arg-type]
        self.gateway = Gateway(
            options, {}, snapshot=self._snapshot(), load=self._snapshot, backends=backends
        )

    # --- configuration -----------------------------------------------------------------------------------------

    def enable(self, character: Character) -> None:
        """Takes a server into the configuration, as another version of it where it was there before."""
        version = self.versions[character.name] = self.versions.get(character.name, 0) + 1
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
            retry=character.retry,
        )
        self.servers[character.name] = server
        self.engine.characters[spec_hash] = (character, character.isolation)

    def _snapshot(self) -> Snapshot:
        return Snapshot(servers=dict(self.servers))

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
            if self.crashes <= limits.RESTART_INTENSITY:
                self.oracle.violate(0, "the gateway gave up, though it was not made to crash often")

        except* Crash:
            # Cancelled from outside while an actor crashes: both leave together.
            if self.schedule.end != "cancel":
                raise

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Looks at what must hold at any time, now and then."""
        with scope:
            while True:
                self.checks.bounds()
                self.oracle.check_overdue()
                await trio.sleep(_WATCH_S)

    # --- steps -------------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        name = f"do_{step.kind}"
        doer = self._steps if hasattr(self._steps, name) else self._faults
        getattr(doer, name)(step.a, step.b)
        self.checks.bounds()

    # --- trouble ------------------------------------------------------------------------------------------------

    def is_calm(self) -> bool:
        """Whether the steady server's calls have no excuse."""
        return (
            trio.current_time() >= self._troubled_until
            and not self.engine.is_gone
            and not self.engine.slow_s
        )

    def trouble(self, for_s: float) -> None:
        """Something was done that everybody may feel, for so long; also those who wait already."""
        self._troubled_until = max(self._troubled_until, trio.current_time() + for_s)
        self.steady.clear()

    # --- the end -----------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Lets all settle, in a world without further trouble, then ends the gateway as the schedule says."""
        self._faults.do_starts_well(0, 0)
        self._faults.do_engine_back(0, 0)
        self.disk.takes_s, self.disk.full = 0.0, False
        if self.schedule.end == "settle":
            await self._settle()
        self.oracle.note("end", self.schedule.end)
        if self.schedule.end == "cancel":
            self.steady.clear()
            return
        if self.schedule.end == "hurry":
            self.steady.clear()
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
        removed = [one.name for one in self.engine.live if one.character.name not in self.servers]
        if removed:
            self.oracle.violate(3, f"their server was removed, and they still run: {removed}")
        for pool in self.pools():
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

    def pools(self) -> Iterator[ContainerPool]:
        """The pools of all servers."""
        return (door for door in self.gateway.doors.values() if isinstance(door, ContainerPool))


assert supervisor.ChildSpec is ChildSpec  # what `tests.simulation.runs` replaces
