"""Shows a run as Markdown. Pure: the same figures give the same text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.bounds import added_us, judge, latency_ratio, start_ratio, throughput_ratio
from bench.figures import CallFigures, Results
from bench.starts import TITLES
from bench.stats import Spread, spread
from bench.subjects import FLOOR, SUBJECTS

_NONE: Final = "–"
_MS: Final = 1000.0

Row = Sequence[str]


def report(results: Results, *, quick: bool = False) -> str:
    """All tables of a run."""
    calls = {figures.subject: figures for figures in results.calls}
    floor = calls[FLOOR]
    ordered = [calls[name] for name in SUBJECTS if name in calls]
    parts = [
        _setting(results),
        "### One call in flight",
        _table(
            ("", "p50 µs", "added µs", "× floor", "p99 µs", "CPU µs", "client CPU µs"),
            (_alone_row(figures, floor) for figures in ordered),
        ),
        f"### {results.plan.depth} calls in flight",
        _table(
            ("", "calls/s", "× floor", "CPU µs", "client CPU µs"),
            (_crowd_row(figures, floor) for figures in ordered),
        ),
        "### Starts",
        _table(("", "ms", "× floor"), (_start_row(results, name) for name in TITLES)),
        "### Promises",
        _table(("", "measured", "at most", ""), _promises(results, quick=quick)),
        *(f"Not measured: {sentence}." for sentence in results.skipped),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(results: Results) -> str:
    machine, plan = results.machine, results.plan
    programs = ", ".join(f"{name} {version}" for name, version in results.programs.items())
    return (
        f"Taken on {results.taken}: {machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB, "
        f"{machine.system}, Linux {machine.kernel}, Python {machine.python}, {machine.engine}; "
        f"{programs}. Median of {plan.rounds} interleaved rounds, lowest–highest in parentheses."
    )


def _alone_row(figures: CallFigures, floor: CallFigures) -> Row:
    alone = figures.alone
    added, ratio = added_us(figures, floor), latency_ratio(figures, floor)
    return (
        SUBJECTS[figures.subject].title,
        _shown(spread([stint.p50_us for stint in alone]), _whole),
        _shown(added, _whole) if figures is not floor else _NONE,
        _shown(ratio, _ratio) if figures is not floor else "1",
        _shown(spread([stint.p99_us for stint in alone]), _whole),
        _cpu([stint.cpu_us for stint in alone]),
        _cpu([stint.client_cpu_us for stint in alone]),
    )


def _crowd_row(figures: CallFigures, floor: CallFigures) -> Row:
    crowd = figures.crowd
    ratio = throughput_ratio(figures, floor)
    return (
        SUBJECTS[figures.subject].title,
        _shown(spread([stint.per_s for stint in crowd]), _whole),
        _shown(ratio, _ratio) if figures is not floor else "1",
        _cpu([stint.cpu_us for stint in crowd]),
        _cpu([stint.client_cpu_us for stint in crowd]),
    )


def _start_row(results: Results, name: str) -> Row:
    rounds = {figures.subject: figures.rounds_s for figures in results.starts}[name]
    ratio = start_ratio(results, name)
    return (
        TITLES[name],
        _shown(spread([seconds * _MS for seconds in rounds]), _whole),
        _shown(ratio, _ratio) if name != next(iter(TITLES)) else "1",
    )


def _promises(results: Results, *, quick: bool) -> Iterable[Row]:
    for verdict in judge(results, quick=quick):
        word = "kept" if verdict.kept else "**broken**"
        yield verdict.promise, f"{verdict.measured:.4g}", f"{verdict.limit:g}", word


def _cpu(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return _shown(spread(known), _whole) if known else _NONE


def _shown(values: Spread, form: Callable[[float], str]) -> str:
    return f"{form(values.median)} ({form(values.low)}–{form(values.high)})"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table: words to the left, numbers to the right."""
    lines = [head, ("---", *("---:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
