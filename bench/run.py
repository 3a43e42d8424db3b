"""Plays the rows, one after the other, each in rounds. Must not know what they measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.awake import Spinners
from bench.errors import BenchError, NotYet
from bench.figures import RowFigures
from bench.plan import Plan
from bench.rows.row import Figures, Row
from bench.stage import Stage

Say = Callable[[str], None]
"""Tells how far the run is."""


def play_rows(
    rows: Sequence[Row], stage: Stage, plan: Plan, spinners: Spinners, say: Say
) -> tuple[RowFigures, ...]:
    """The figures of each row. One that cannot be measured says why, and the run goes on."""
    return tuple(_guarded(row, stage, plan, spinners, say) for row in rows)


def _guarded(row: Row, stage: Stage, plan: Plan, spinners: Spinners, say: Say) -> RowFigures:
    say(f"row {row.number}: {row.title}")
    try:
        return _play(row, stage, plan, spinners, say)
    except NotYet as error:
        return _without(row, say, not_yet=str(error))
    except (BenchError, OSError) as error:
        return _without(row, say, failed=str(error) or type(error).__name__)


def _without(row: Row, say: Say, *, not_yet: str = "", failed: str = "") -> RowFigures:
    say(f"row {row.number}: {not_yet or failed}")
    return RowFigures(number=row.number, rounds=(), not_yet=not_yet, failed=failed)


def _play(row: Row, stage: Stage, plan: Plan, spinners: Spinners, say: Say) -> RowFigures:
    rounds: list[Figures] = []
    asleep: list[Figures] = []
    with row.open(stage, plan) as play:
        for number in range(row.rounds(plan)):
            if row.kept_awake:
                with spinners.spinning():
                    rounds.append(play(number))
                asleep.append(play(number))
            else:
                rounds.append(play(number))
        say(f"row {row.number}: {len(rounds)} rounds")
    return RowFigures(number=row.number, rounds=tuple(rounds), asleep=tuple(asleep))
