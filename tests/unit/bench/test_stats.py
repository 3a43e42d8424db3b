"""Medians, percentiles and ratios."""

from __future__ import annotations

import operator
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import Spread, median_interval, paired, percentile, spread


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.0, 1)]
)
def test_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    """Of a hundred values, the n-th percentile is the n-th value."""
    assert percentile(list(range(100, 0, -1)), share) == expected


@given(st.lists(st.integers(), min_size=1), st.floats(0, 1))
def test_percentile_is_one_of_the_values(values: list[int], share: float) -> None:
    """No value is invented, and at least the share of the values is not above it."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


def test_spread_names_the_middle_and_both_ends() -> None:
    """The order of the rounds does not matter."""
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_rounds_are_compared_with_the_floor_of_the_same_round() -> None:
    """A round in which everything took twice as long has the same ratio."""
    assert paired([2.0, 4.0], [1.0, 2.0], operator.truediv) == Spread(2.0, 2.0, 2.0)


def test_rounds_without_a_floor_are_refused() -> None:
    """A missing round is not compared with another one's floor."""
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0], operator.sub)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_the_interval_holds_the_median(values: list[float]) -> None:
    """Whatever the values are."""
    low, high = median_interval(values)
    assert min(values) <= low <= statistics.median(values) <= high <= max(values)


def test_the_interval_is_that_of_the_tables() -> None:
    """Order statistics for 95 %: 15 values give the 4th from either end, 9 the 2nd, 5 the extremes."""
    for count, rank in ((5, 1), (9, 2), (15, 4), (25, 8)):
        assert median_interval(list(range(1, count + 1))) == (rank, count + 1 - rank)
