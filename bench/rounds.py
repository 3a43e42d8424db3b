"""Measures calls: all subjects are open at once and take turns, round after round."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final

from bench.cpu import tree_cpu_s
from bench.errors import BenchError, Broken
from bench.figures import Alone, CallFigures, Crowd
from bench.plan import Plan
from bench.run import Say
from bench.stats import percentile
from bench.subjects import Arena, Opened, Subject

_US: Final = 1e6
_NS_PER_US: Final = 1e3


def measure_calls(
    arena: Arena, plan: Plan, subjects: Mapping[str, Subject], say: Say
) -> tuple[tuple[CallFigures, ...], tuple[str, ...]]:
    """The figures of each subject, and why peers are missing in them.

    Raises:
        BenchError: the floor or the gateway cannot be measured.
    """
    turns = _Turns(plan, subjects, say)
    for name in subjects:
        say(f"opening {name}")
        turns.guarded(name, partial(turns.open, name, arena))
    for number in range(plan.rounds):
        say(f"round {number + 1} of {plan.rounds}")
        turns.play(number)
    return turns.figures(), tuple(turns.skipped)


class _Turns:
    """The subjects that are still in the game, with what was measured of them."""

    def __init__(self, plan: Plan, subjects: Mapping[str, Subject], say: Say) -> None:
        self.skipped: list[str] = []
        self._plan = plan
        self._subjects = subjects
        self._say = say
        self._opened: dict[str, Opened] = {}
        self._alone: dict[str, list[Alone]] = {}
        self._crowd: dict[str, list[Crowd]] = {}

    def open(self, name: str, arena: Arena) -> None:
        """Opens a subject and warms it up."""
        opened = self._subjects[name].open(arena)
        opened.client.alone(self._plan.warm_up_s)
        opened.client.crowd(self._plan.depth, self._plan.warm_up_s)
        self._opened[name] = opened
        self._alone[name], self._crowd[name] = [], []

    def play(self, number: int) -> None:
        """One round: every subject has a stint of either kind. Who begins changes from round to round."""
        names = list(self._opened)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            self.guarded(name, partial(self._take_turn, name))

    def guarded(self, name: str, act: Callable[[], None]) -> None:
        """Does it; a peer that fails is out, and the run goes on without it."""
        try:
            act()
        except (BenchError, OSError) as error:
            if self._subjects[name].kind != "peer":
                raise Broken(f"{name}: {error}") from error
            self._opened.pop(name, None)
            self.skipped.append(f"{name}: {error}")
            self._say(f"skipped {self.skipped[-1]}")

    def figures(self) -> tuple[CallFigures, ...]:
        """What was measured of those that stayed."""
        return tuple(
            CallFigures(
                subject=name, alone=tuple(self._alone[name]), crowd=tuple(self._crowd[name])
            )
            for name in self._opened
        )

    def _take_turn(self, name: str) -> None:
        opened, plan = self._opened[name], self._plan
        self._alone[name].append(_alone(opened, plan))
        self._crowd[name].append(_crowd(opened, plan))


class _Meter:
    """CPU and time between two moments."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._tree = tree_cpu_s(pid) if pid else 0.0
        self._own = time.process_time()
        self._began = time.perf_counter()
        self.seconds = self.cpu = self.client_cpu = 0.0

    def stop(self) -> None:
        """Takes the second moment."""
        self.seconds = time.perf_counter() - self._began
        self.client_cpu = time.process_time() - self._own
        self.cpu = tree_cpu_s(self._pid) - self._tree if self._pid else 0.0


@contextmanager
def _metered(pid: int | None) -> Iterator[_Meter]:
    """Meters a block, in which the client collects no garbage."""
    gc.disable()
    try:
        meter = _Meter(pid)
        yield meter
        meter.stop()
    finally:
        gc.enable()


def _alone(opened: Opened, plan: Plan) -> Alone:
    with _metered(opened.pid) as meter:
        taken = opened.client.alone(plan.alone_s)
    return Alone(
        calls=len(taken),
        p50_us=round(percentile(taken, 0.5) / _NS_PER_US, 1),
        p99_us=round(percentile(taken, 0.99) / _NS_PER_US, 1),
        cpu_us=_per_call(meter.cpu, len(taken)) if opened.pid else None,
        client_cpu_us=_per_call(meter.client_cpu, len(taken)),
    )


def _crowd(opened: Opened, plan: Plan) -> Crowd:
    with _metered(opened.pid) as meter:
        calls = opened.client.crowd(plan.depth, plan.crowd_s)
    return Crowd(
        calls=calls,
        per_s=round(calls / meter.seconds, 1),
        cpu_us=_per_call(meter.cpu, calls) if opened.pid else None,
        client_cpu_us=_per_call(meter.client_cpu, calls),
    )


def _per_call(seconds: float, calls: int) -> float:
    return round(seconds * _US / calls, 1)
