"""Medians, percentiles, ratios and the interval of a median. Pure."""

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


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The narrowest pair of values, equally far from both ends, that hold the median with at least that confidence.

    By order statistics, so nothing is assumed of the distribution: of n values, the median lies outside the k-th lowest
    and the k-th highest with probability 2·P(Binomial(n, ½) < k). Few values give lowest and highest, whatever they hold.
    """
    ordered = sorted(values)
    count = len(ordered)
    outside, cut = 0.0, 0
    while cut < count // 2:
        outside += 2 * math.comb(count, cut) / 2**count
        if outside > 1 - confidence:
            break
        cut += 1
    index = max(0, cut - 1)
    return ordered[index], ordered[count - 1 - index]
