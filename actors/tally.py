"""What a pool did for its callers, counted: who found a server ready, who waited, and how long starts took."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import msgspec

from gateway import limits


class Tallied(msgspec.Struct, frozen=True):
    """The counts for people. Times in seconds, None before the first start."""

    hits: int = 0
    misses: int = 0
    avoided: int = 0
    cold_p50_s: float | None = None
    cold_p95_s: float | None = None


class Tally:
    """Counts of one server, since the gateway began."""

    __slots__ = ("avoided", "hits", "misses", "starts")

    def __init__(self) -> None:
        self.hits = 0
        """Calls that found a server ready, or open and only to be greeted."""
        self.misses = 0
        """Calls that had to wait for a start."""
        self.avoided = 0
        """Owners whose first call found a spare: cold starts that nobody waited for."""
        self.starts: deque[float] = deque(maxlen=limits.START_SAMPLES)
        """How long the newest starts took, in seconds."""

    @property
    def start_s(self) -> float:
        """How long a start takes, on the safe side."""
        return quantile(self.starts, 0.95) or limits.START_GUESS_S

    def report(self) -> Tallied:
        """The counts as they are."""
        return Tallied(
            hits=self.hits,
            misses=self.misses,
            avoided=self.avoided,
            cold_p50_s=quantile(self.starts, 0.5),
            cold_p95_s=quantile(self.starts, 0.95),
        )


def quantile(samples: Sequence[float], share: float) -> float | None:
    """The smallest sample that `share` of all do not exceed, None where there is none."""
    if not samples:
        return None
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
