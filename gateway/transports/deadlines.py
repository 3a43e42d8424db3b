"""What is to happen to connections when their time is over: one sweep for all, instead of a scope for each request.

Must not know HTTP. An action runs up to twice `limits.CONNECTION_SWEEP_S` late: times count from the last sweep, for
each request sets some, and to ask for the time costs more than all the rest of that.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from gateway import limits
from gateway.standstill import sleep_awake
from gateway.telemetry.log import get_logger

_log = get_logger("http")


class Deadline:
    """At most one action that is due at some time. `sweeper`: who looks at it, from `Sweeper.add` on."""

    def __init__(self, sweeper: Sweeper) -> None:
        self._sweeper = sweeper
        self._due = math.inf
        self._act: Callable[[], object] = _nothing

    def set(self, seconds: float, act: Callable[[], object]) -> None:
        """Has `act` called after that time, instead of what was set before."""
        self._due = self._sweeper.next_sweep + seconds
        self._act = act

    def clear(self) -> None:
        """Has nothing called."""
        self._due = math.inf

    def postpone(self, seconds: float) -> None:
        """Has what is set called so much later: time in which nobody was there to read does not count."""
        self._due += seconds

    def look(self, now: float) -> None:
        """Acts if it is time."""
        if self._due <= now:
            self.clear()
            self._act()


class Sweeper:
    """Looks at all deadlines."""

    def __init__(self) -> None:
        self.next_sweep = trio.current_time() + limits.CONNECTION_SWEEP_S
        """When all are looked at next, or a little earlier."""
        self._deadlines: set[Deadline] = set()

    def __repr__(self) -> str:
        """How many there are."""
        return f"<Sweeper {len(self._deadlines)} deadlines>"

    def add(self, deadline: Deadline) -> None:
        """Looks after one more, until it is removed."""
        self._deadlines.add(deadline)

    def remove(self, deadline: Deadline) -> None:
        """Looks after it no more."""
        self._deadlines.discard(deadline)

    async def run(self) -> None:
        """Sweeps until cancelled."""
        while True:
            still_s = await sleep_awake(limits.CONNECTION_SWEEP_S)
            now = trio.current_time()
            self.next_sweep = now + limits.CONNECTION_SWEEP_S
            for deadline in tuple(self._deadlines):
                try:
                    deadline.postpone(still_s)
                    deadline.look(now)
                except Exception as error:  # noqa: BLE001 -- one connection's fault must not end the sweep
                    _log.crash("deadline_failed", error)


def _nothing() -> None:
    """What is due where nothing is."""
