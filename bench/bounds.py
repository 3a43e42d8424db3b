"""What a run has to show for the gateway to be as good as promised. Only ratios and differences within the run; pure."""

from __future__ import annotations

import operator
from typing import Final

import msgspec

from bench.figures import CallFigures, Results
from bench.starts import IMPORTS, LISTS
from bench.stats import Spread, paired
from bench.subjects import FLOOR

_ADDED_US: Final = 1000.0
_LIST_RATIO: Final = 3.0
_QUICK_SLACK: Final = 10.0
"""The quick run shows that the harness works, on machines that do other things meanwhile."""


class Verdict(msgspec.Struct, frozen=True):
    """One promise, beside what was measured."""

    promise: str
    measured: float
    limit: float

    @property
    def kept(self) -> bool:
        """Whether it is kept."""
        return self.measured <= self.limit


def added_us(figures: CallFigures, floor: CallFigures) -> Spread:
    """How much longer the median call takes than the floor's, by round."""
    return paired(_p50(figures), _p50(floor), operator.sub)


def latency_ratio(figures: CallFigures, floor: CallFigures) -> Spread:
    """How many times as long the median call takes, by round."""
    return paired(_p50(figures), _p50(floor), operator.truediv)


def throughput_ratio(figures: CallFigures, floor: CallFigures) -> Spread:
    """The calls per second against the floor's, by round."""
    return paired(
        [stint.per_s for stint in figures.crowd],
        [stint.per_s for stint in floor.crowd],
        operator.truediv,
    )


def start_ratio(results: Results, subject: str) -> Spread:
    """How many times as long as the floor of all starts, by round."""
    rounds = {figures.subject: figures.rounds_s for figures in results.starts}
    return paired(rounds[subject], rounds[IMPORTS], operator.truediv)


def judge(results: Results, *, quick: bool) -> tuple[Verdict, ...]:
    """The promises of the first release: medians over the rounds."""
    calls = {figures.subject: figures for figures in results.calls}
    slack = _QUICK_SLACK if quick else 1.0
    return (
        Verdict(
            "a warm call over stdio adds to the raw attach round trip, p50 in µs",
            added_us(calls["mcpgw_stdio"], calls[FLOOR]).median,
            _ADDED_US * slack,
        ),
        Verdict(
            f"cached `tools/list` of {results.plan.listed_servers} servers over stdio, times the "
            "import of trio and msgspec",
            start_ratio(results, LISTS).median,
            _LIST_RATIO * slack,
        ),
        Verdict(
            "containers that run while lists are served from the cache",
            results.containers_while_listing,
            0,
        ),
    )


def _p50(figures: CallFigures) -> list[float]:
    return [stint.p50_us for stint in figures.alone]
