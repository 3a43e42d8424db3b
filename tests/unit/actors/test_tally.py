"""Counts and percentiles of starts."""

from __future__ import annotations

from actors.tally import Tallied, Tally, quantile
from gateway import limits


def test_nothing_is_known_before_the_first_start() -> None:
    """A guess stands in where a number is needed, and none is shown."""
    tally = Tally()
    assert tally.report() == Tallied()
    assert tally.start_s == limits.START_GUESS_S


def test_percentiles_are_of_the_newest_starts() -> None:
    """Old ones are forgotten."""
    tally = Tally()
    tally.starts.extend([99.0] * 5 + [number / 100 for number in range(limits.START_SAMPLES)])
    report = tally.report()
    assert (report.cold_p50_s, report.cold_p95_s) == (0.63, 1.21)
    assert tally.start_s == 1.21


def test_a_quantile_is_one_of_the_samples() -> None:
    """The smallest that enough others do not exceed."""
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0) == 1.0
    assert quantile([], 0.5) is None
