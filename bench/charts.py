"""What the plots show, as data. Pure; drawing is the business of `bench/draw.py`, which knows nothing but charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bench.figures import CallFigures, Results
from bench.rows.row import Row
from bench.stats import Spread, spread
from bench.subjects import SUBJECTS
from bench.verdicts import Verdict, judge


class Bar(msgspec.Struct, frozen=True):
    """One line of a chart: a median with its lowest and highest."""

    label: str
    spread: Spread
    good: bool


class Chart(msgspec.Struct, frozen=True):
    """Horizontal bars on a logarithmic axis."""

    name: str
    title: str
    axis: str
    bars: tuple[Bar, ...]
    mark: float | None = None
    """A line across, where a limit is."""


def charts(results: Results, rows: Sequence[Row]) -> tuple[Chart, ...]:
    """All plots of a run."""
    verdicts = judge(results, rows)
    own = Chart(
        name="targets",
        title="Measured against target, median and lowest–highest",
        axis="share of the limit that is used (less is better)",
        bars=tuple(_used(verdicts)),
        mark=1.0,
    )
    return (own, *_beside_peers(results)) if results.peers else (own,)


def _used(verdicts: Iterable[Verdict]) -> Iterable[Bar]:
    for verdict in verdicts:
        target, measured = verdict.target, verdict.measured
        if measured is None or measured.low <= 0:
            continue
        label = f"{verdict.row}. {target.promise}".replace("`", "")
        if target.at_most:
            used = Spread(*(value / target.at_most for value in msgspec.structs.astuple(measured)))
        elif target.at_least:
            low, middle, high = measured.low, measured.median, measured.high
            used = Spread(*(target.at_least / value for value in (middle, high, low)))
        else:
            continue
        yield Bar(label, used, verdict.kept)


def _beside_peers(results: Results) -> Iterable[Chart]:
    calls = {figures.subject: figures for figures in results.peers}
    ordered = [calls[name] for name in SUBJECTS if name in calls]
    yield Chart(
        name="latency",
        title="One call in flight, p50",
        axis="µs",
        bars=tuple(_bar(figures, [stint.p50_us for stint in figures.alone]) for figures in ordered),
    )
    yield Chart(
        name="cpu",
        title=f"{results.plan.depth} calls in flight, CPU per call",
        axis="µs",
        bars=tuple(
            _bar(figures, known)
            for figures in ordered
            if (known := [stint.cpu_us for stint in figures.crowd if stint.cpu_us])
        ),
    )


def _bar(figures: CallFigures, values: Sequence[float]) -> Bar:
    subject = SUBJECTS[figures.subject]
    label = subject.title.replace("*", "").replace("`", "")
    return Bar(label, spread(values), subject.kind == "gateway")
