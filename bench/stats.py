"""Medians, percentiles and ratios. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """The median of some rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def paired(
    values: Sequence[float], floor: Sequence[float], compare: Callable[[float, float], float]
) -> Spread:
    """Compares each round with the floor of the same round, then spreads: what disturbs a round disturbs both."""
    return spread([compare(value, low) for value, low in zip(values, floor, strict=True)])
