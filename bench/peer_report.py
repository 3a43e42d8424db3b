"""Shows the comparison with peers as Markdown. Pure."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

from bench.figures import CallFigures, Results
from bench.stats import Spread, paired, spread
from bench.subjects import FLOOR, SUBJECTS
from bench.tables import NONE, Cells, ratio, shown, table, whole


def peer_tables(results: Results) -> Iterable[str]:
    """Latency and throughput of all subjects that were measured."""
    calls = {figures.subject: figures for figures in results.peers}
    floor = calls[FLOOR]
    ordered = [calls[name] for name in SUBJECTS if name in calls]
    yield "### Beside its peers, one call in flight"
    yield table(
        ("", "p50 µs", "added µs", "× floor", "p99 µs", "CPU µs", "client CPU µs"),
        (_alone_row(figures, floor) for figures in ordered),
    )
    yield f"### Beside its peers, {results.plan.depth} calls in flight"
    yield table(
        ("", "calls/s", "× floor", "CPU µs", "client CPU µs"),
        (_crowd_row(figures, floor) for figures in ordered),
    )
    yield from (f"Not measured: {sentence}." for sentence in results.skipped)


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


def _alone_row(figures: CallFigures, floor: CallFigures) -> Cells:
    alone = figures.alone
    is_floor = figures is floor
    return (
        SUBJECTS[figures.subject].title,
        shown(spread([stint.p50_us for stint in alone]), whole),
        NONE if is_floor else shown(added_us(figures, floor), whole),
        "1" if is_floor else shown(latency_ratio(figures, floor), ratio),
        shown(spread([stint.p99_us for stint in alone]), whole),
        _cpu([stint.cpu_us for stint in alone]),
        _cpu([stint.client_cpu_us for stint in alone]),
    )


def _crowd_row(figures: CallFigures, floor: CallFigures) -> Cells:
    crowd = figures.crowd
    return (
        SUBJECTS[figures.subject].title,
        shown(spread([stint.per_s for stint in crowd]), whole),
        "1" if figures is floor else shown(throughput_ratio(figures, floor), ratio),
        _cpu([stint.cpu_us for stint in crowd]),
        _cpu([stint.client_cpu_us for stint in crowd]),
    )


def _cpu(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return shown(spread(known), whole) if known else NONE


def _p50(figures: CallFigures) -> list[float]:
    return [stint.p50_us for stint in figures.alone]
