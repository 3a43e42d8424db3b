"""Playing rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from bench.awake import Spinners
from bench.errors import Broken, NotYet
from bench.plan import QUICK, Plan
from bench.rows.row import Figures, Play, Row, in_turn
from bench.run import play_rows
from bench.stage import Stage


class _Spinners:
    """Writes down when they spin."""

    def __init__(self) -> None:
        self.spin = False

    @contextmanager
    def spinning(self) -> Iterator[None]:
        self.spin = True
        yield
        self.spin = False


def _row(number: int, spinners: _Spinners, error: Exception | None = None, **options: bool) -> Row:
    @contextmanager
    def opened(_stage: Stage, _plan: Plan) -> Iterator[Play]:
        def play(turn: int) -> Figures:
            if error is not None:
                raise error
            return {"turn": turn, "spin": spinners.spin}

        yield play

    return Row(number=number, title="a row", targets=(), open=opened, **options)  # type: ignore[arg-type]


def _play(*rows: Row, spinners: _Spinners) -> list[object]:
    plan = QUICK
    stage = cast("Stage", object())
    said: list[str] = []
    return list(play_rows(rows, stage, plan, cast("Spinners", spinners), said.append))


def test_rows_with_spinners_are_played_with_and_without() -> None:
    """Both kinds of rounds are kept apart."""
    spinners = _Spinners()
    (figures,) = _play(_row(1, spinners, kept_awake=True), spinners=spinners)
    assert figures.rounds == ({"turn": 0, "spin": True},)
    assert figures.asleep == ({"turn": 0, "spin": False},)


def test_a_paired_row_has_more_rounds() -> None:
    """An interval needs them."""
    spinners = _Spinners()
    (figures,) = _play(_row(14, spinners, paired=True), spinners=spinners)
    assert [by_round["turn"] for by_round in figures.rounds] == [0, 1]


def test_a_row_that_cannot_be_measured_says_why_and_the_run_goes_on() -> None:
    """What is not built yet is told apart from what broke."""
    spinners = _Spinners()
    found = _play(
        _row(1, spinners, NotYet("no such flag")),
        _row(2, spinners, Broken("it fell over")),
        _row(3, spinners),
        spinners=spinners,
    )
    assert [(one.not_yet, one.failed) for one in found] == [
        ("no such flag", ""),
        ("", "it fell over"),
        ("", ""),
    ]
    assert len(found[2].rounds) == 1


def test_another_subject_begins_each_round() -> None:
    """Nobody always comes right after the same neighbour's load; figures get their subject's name."""
    turns: list[str] = []

    def act(name: str) -> Figures:
        turns.append(name)
        return {"us": 1.0}

    acts = {name: lambda name=name: act(name) for name in "abc"}
    found = [in_turn(number, acts) for number in range(3)]
    assert "".join(turns) == "abc" + "bca" + "cab"
    assert all(set(figures) == {"a_us", "b_us", "c_us"} for figures in found)
