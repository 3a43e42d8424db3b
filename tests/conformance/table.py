"""What is printed of a run. Must not know how it was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tests.conformance.impossible import Impossible
from tests.conformance.suite import Report

_WIDTHS: Final = (8, 24, 13, 9, 9, 9)
_COMPLAINT_CHARS: Final = 160

TITLES: Final = ("tested", "against", "requirements", "required", "checks", "warnings", "unscored")


def line(*cells: str) -> str:
    """One line of the table."""
    *padded, last = cells
    return " ".join([*map(str.ljust, padded, _WIDTHS), last])


def row(what: str, against: str, report: Report, took_s: float) -> str:
    """A run as a line: scenarios passed of those required, checks that went well and wrong in them, warnings."""
    required = report.required
    unscored = [scenario for scenario in report.scenarios if not scenario.required]
    return line(
        what,
        against,
        report.revision,
        f"{len(required) - len(report.failing)}/{len(required)}",
        f"{sum(one.succeeded for one in required)}+{sum(one.failed for one in required)}-",
        str(sum(one.warned for one in required)),
        f"{sum(one.passed for one in unscored)}/{len(unscored)}  {took_s:.0f} s",
    )


def failures(report: Report, impossible: Mapping[str, Impossible]) -> Iterator[str]:
    """A line per required scenario that did not pass: its first complaint, for it explains the others.

    One that cannot pass is as it should be, and one that cannot and does is not.
    """
    failing = {scenario.name for scenario in report.failing}
    yield from (
        f"{name}: passes, so that it is not impossible"
        for name in impossible
        if name not in failing
    )
    for scenario in report.failing:
        if scenario.name in impossible:
            continue
        first, *others = scenario.complaints
        more = f" (and {len(others)} more)" if others else ""
        yield f"{scenario.name}: {first[:_COMPLAINT_CHARS]}{more}"


def hollow(report: Report, best: Report) -> Iterator[str]:
    """Required scenarios that pass with less than they have to give: an error early on leaves checks out."""
    possible = {scenario.name: scenario.succeeded for scenario in best.required}
    for scenario in report.required:
        if scenario.passed and scenario.succeeded < possible.get(scenario.name, 0):
            yield (
                f"{scenario.name}: passes with {scenario.succeeded} checks"
                f" of {possible[scenario.name]}, {scenario.warned} warnings"
            )
