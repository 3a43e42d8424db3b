"""Shows a run as Markdown. Pure: the same figures give the same text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.figures import Results, RowFigures
from bench.peer_report import peer_tables
from bench.rows.row import Row, Target
from bench.stats import spread
from bench.tables import NONE, Cells, number, shown, table
from bench.verdicts import Verdict, judge


def report(results: Results, rows: Sequence[Row], *, quick: bool = False) -> str:
    """All tables of a run."""
    verdicts = judge(results, rows, quick=quick)
    parts = [
        _setting(results),
        "### Targets",
        table(
            ("#", "measure", "target", "measured", "without spinners", ""),
            map(_target_row, verdicts),
            words=3,
        ),
        _sum(verdicts),
        *_reasons(verdicts),
        "### What each row has measured",
        *_figures(results, rows),
        *(peer_tables(results) if results.peers else ()),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(results: Results) -> str:
    machine, plan = results.machine, results.plan
    programs = ", ".join(f"{name} {version}" for name, version in results.programs.items())
    return (
        f"Taken on {results.taken}: {machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB, "
        f"{machine.system}, Linux {machine.kernel}, Python {machine.python}, {machine.engine}; "
        f"{programs}. Medians of {plan.rounds} interleaved rounds ({plan.awake_rounds} in rows with spinners, "
        f"{plan.paired_rounds} in row 14), lowest–highest in parentheses."
        + (f" Other programs had {machine.busy:.0%} of the cores." if machine.busy else "")
    )


def _target_row(verdict: Verdict) -> Cells:
    target = verdict.target
    measured = NONE
    if verdict.measured is not None:
        measured = shown(verdict.measured, number) + unit(target)
    if verdict.upper is not None:
        measured += f", at most {number(verdict.upper)}"
    outcome = verdict.outcome if verdict.kept else f"**{verdict.outcome}**"
    asleep = shown(verdict.asleep, number) + unit(target) if verdict.asleep else NONE
    measure = f"{verdict.title}: {target.promise}"
    return (str(verdict.row), measure, limit(target), measured, asleep, outcome)


def limit(target: Target) -> str:
    """The limit, as the table says it."""
    if target.at_most is not None:
        return f"≤ {number(target.at_most)}{unit(target)}"
    return f"≥ {number(target.at_least or 0)}{unit(target)}"


def unit(target: Target) -> str:
    """The unit, behind its number."""
    return f" {target.unit}" if target.unit else ""


def _sum(verdicts: Sequence[Verdict]) -> str:
    by_row: dict[int, set[str]] = {}
    for verdict in verdicts:
        by_row.setdefault(verdict.row, set()).add(verdict.outcome)
    kept = [row for row, outcomes in by_row.items() if outcomes == {"kept"}]
    rest = [str(row) for row in by_row if row not in kept]
    more = f"; not so: {', '.join(rest)}" if rest else ""
    return f"{len(kept)} of {len(by_row)} rows are kept in all their parts{more}."


def _reasons(verdicts: Sequence[Verdict]) -> Iterable[str]:
    """Why a row has no figures, once for each row."""
    seen = {verdict.row: verdict for verdict in verdicts if verdict.reason}
    for row, verdict in seen.items():
        yield f"Row {row}: {verdict.outcome}, because: {verdict.reason}."


def _figures(results: Results, rows: Sequence[Row]) -> Iterable[str]:
    titles = {row.number: row.title for row in rows}
    for figures in results.rows:
        if figures.rounds:
            yield f"**{figures.number}. {titles[figures.number]}**"
            yield table(("", "measured", "without spinners"), _figure_rows(figures))


def _figure_rows(figures: RowFigures) -> Iterable[Cells]:
    """Each figure that all rounds have."""
    everywhere = set.intersection(*(set(one) for one in (*figures.rounds, *figures.asleep)))
    for name in filter(everywhere.__contains__, figures.rounds[0]):
        yield (
            f"`{name}`",
            shown(spread([by_round[name] for by_round in figures.rounds]), number),
            shown(spread([by_round[name] for by_round in figures.asleep]), number)
            if figures.asleep
            else NONE,
        )
