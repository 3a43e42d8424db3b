"""What a run has to show, beside what it has shown. Only figures of the run itself; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from bench.figures import Results, RowFigures
from bench.rows.row import Row, Target
from bench.stats import Spread, median_interval, spread

Outcome = Literal["kept", "missed", "not available yet", "failed"]

_BAND: Final = 30.0
"""How far the quick run may be off: it shows that the harness works, on machines that do other things meanwhile."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One target, beside what was measured."""

    row: int
    title: str
    target: Target
    outcome: Outcome
    measured: Spread | None = None
    upper: float | None = None
    """The upper bound of the median's interval, where the target is judged by it."""
    asleep: Spread | None = None
    """The same without spinners on the cores."""
    reason: str = ""
    """Why nothing was measured."""

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.outcome == "kept"


def judge(results: Results, rows: Sequence[Row], *, quick: bool = False) -> tuple[Verdict, ...]:
    """A verdict for each target of each row, in order."""
    found = {figures.number: figures for figures in results.rows}
    unmeasured = RowFigures(number=0, not_yet="it was not part of this run")
    return tuple(
        _judge(row, target, found.get(row.number, unmeasured), quick=quick)
        for row in rows
        for target in row.targets
    )


def _judge(row: Row, target: Target, figures: RowFigures, *, quick: bool) -> Verdict:
    base = Verdict(row=row.number, title=row.title, target=target, outcome="not available yet")
    if figures.failed:
        return msgspec.structs.replace(base, outcome="failed", reason=figures.failed)
    values = values_of(target, figures.rounds)
    if not values:
        return msgspec.structs.replace(base, reason=figures.not_yet or "not in this build")
    measured, asleep = spread(values), values_of(target, figures.asleep)
    upper = median_interval(values)[1] if target.judged == "upper" else None
    judged = measured.median if upper is None else upper
    kept = _is_sane(target, [judged, *asleep]) if quick else is_kept(target, judged)
    return msgspec.structs.replace(
        base,
        outcome="kept" if kept else "missed",
        measured=measured,
        upper=upper,
        asleep=spread(asleep) if asleep else None,
    )


def values_of(target: Target, rounds: Sequence[Mapping[str, float]]) -> list[float]:
    """The target's figure or ratio, by round; none where a round lacks it."""
    names = {target.of, target.against or target.of}
    if not all(names <= set(figures) for figures in rounds):
        return []
    return [
        figures[target.of] / figures[target.against] if target.against else figures[target.of]
        for figures in rounds
    ]


def _is_sane(target: Target, values: Sequence[float]) -> bool:
    """Whether any of the values is within the band: on a busy machine spinners wake cores for others."""
    return any(is_kept(target, value, band=_BAND) for value in values)


def is_kept(target: Target, value: float, *, band: float = 1.0) -> bool:
    """Whether a value is within the target's limit, times `band`."""
    if target.at_most is not None:
        return value <= target.at_most * band
    if target.at_least is not None:
        return value >= target.at_least / band
    raise ValueError(f"{target.promise} has no limit")
