"""What every load client can do, whatever its transport."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

ANSWER_S: Final = 30.0
"""Longest wait for an answer: cold starts of slow peers take 10 s."""
_AT_LEAST: Final = 20
"""Calls in a stint, however slow: a percentile of fewer says nothing."""


class Client(Protocol):
    """A client with an open session, whose warm calls are measured. Raises `Broken` where an answer is missing or wrong."""

    def alone(self, seconds: float) -> list[int]:
        """Calls one after the other for so long; the ns that each one took."""

    def crowd(self, depth: int, seconds: float) -> int:
        """Keeps `depth` calls in flight for so long, then waits for the last; how many were answered."""


def time_calls(call: Callable[[], None], seconds: float) -> list[int]:
    """Calls one after the other; the ns of each."""
    clock = time.perf_counter_ns
    until = clock() + int(seconds * 1e9)
    taken: list[int] = []
    began = clock()
    while began < until or len(taken) < _AT_LEAST:
        call()
        ended = clock()
        taken.append(ended - began)
        began = ended
    return taken
