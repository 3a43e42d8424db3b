"""Runs schedules: one in this process, many in several; makes failing ones shorter."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import msgspec
import trio
from msgspec import structs
from trio.testing import MockClock

from tests.simulation.bombs import Bombs, Crash
from tests.simulation.determinism import Disk, seeded
from tests.simulation.engine import Engine
from tests.simulation.oracle import Oracle, Violated
from tests.simulation.schedule import Schedule, draw
from tests.simulation.world import World

TOP = Path(__file__).parents[2]
_SHM = Path(
    "/dev/shm"
)  # a folder in memory, where there is one: the simulated disk has its own times


class Outcome(msgspec.Struct, frozen=True):
    """What came of a run."""

    seed: int
    digest: str
    events: tuple[str, ...]
    requests: int
    violations: tuple[tuple[int, str], ...]

    @property
    def broken(self) -> frozenset[int]:
        """The invariants that did not hold."""
        return frozenset(number for number, _ in self.violations)


class _Crashes(logging.Handler):
    """Notes errors that nobody ordered."""

    def __init__(self, oracle: Oracle) -> None:
        super().__init__(logging.ERROR)
        self._oracle = oracle

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one line of the log."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, BaseExceptionGroup):
            error = error.split(Crash)[1]
            if error is None:
                return
        what = getattr(record, "fields", {})
        self._oracle.violate(0, f"{record.getMessage()} {what} {error!r}")


@contextmanager
def _listening(oracle: Oracle) -> Iterator[None]:
    logger = logging.getLogger("mcpgw")
    handler = _Crashes(oracle)
    before = logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate, _ = before
        logger.setLevel(before[1])


def run_schedule(schedule: Schedule) -> Outcome:
    """Runs one schedule, in this process and without anything that is real."""
    oracle = Oracle()
    disk = Disk()
    clock = MockClock(autojump_threshold=0.0)
    place = str(_SHM) if _SHM.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=place) as home,
        seeded(schedule.seed, disk),
        _listening(oracle),
    ):
        trio.run(_run, schedule, oracle, disk, clock, Path(home), clock=clock)
    return Outcome(
        schedule.seed,
        oracle.digest(),
        tuple(oracle.events),
        len(oracle.tickets),
        tuple((one.invariant, one.what) for one in oracle.violations),
    )


async def _run(
    schedule: Schedule, oracle: Oracle, disk: Disk, clock: MockClock, home: Path
) -> None:
    async with trio.open_nursery() as nursery:
        engine = Engine(nursery, oracle, schedule.seed)
        bombs = Bombs()
        baseline = trio.lowlevel.current_statistics().tasks_living
        with (
            patch("actors.supervisor.ChildSpec", bombs.spec),
            patch("actors.servers.ChildSpec", bombs.spec),
        ):
            world = World(schedule, oracle=oracle, engine=engine, disk=disk, clock=clock, home=home)
            world.bombs = bombs
            try:
                await world.run()
            except* Violated as failed:
                oracle.violate(0, repr(failed))
        # Containers that are being removed by the engine itself.
        await trio.sleep(1.0)
        world.checks.steady()
        world.checks.left()
        left = trio.lowlevel.current_statistics().tasks_living - baseline
        if left:
            oracle.violate(3, f"{left} tasks are left")
        nursery.cancel_scope.cancel()


def failing(seeds: Iterable[int]) -> Iterator[Outcome]:
    """The outcomes of seeds that broke an invariant."""
    for seed in seeds:
        outcome = run_schedule(draw(seed))
        if outcome.violations:
            yield outcome


def shrink(schedule: Schedule, invariant: int) -> Schedule:
    """The same failure with fewer steps: leaves out ever smaller pieces as long as the invariant still breaks."""

    def fails(steps: tuple[object, ...]) -> bool:
        shorter = structs.replace(schedule, steps=steps)
        return invariant in run_schedule(shorter).broken

    steps = schedule.steps
    size = max(1, len(steps) // 2)
    while True:
        start, shortened = 0, False
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            if fails(fewer):
                steps, shortened = fewer, True
            else:
                start += size
        if size == 1 and not shortened:
            return structs.replace(schedule, steps=steps)
        size = max(1, size // 2)


def python(*arguments: str) -> subprocess.Popen[str]:
    """Starts `python -m tests.simulation`, where sets have the same order each time."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=TOP,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
