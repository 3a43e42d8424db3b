"""From figures to verdicts."""

from __future__ import annotations

import pytest

from bench.figures import Results, RowFigures
from bench.machine import describe_machine
from bench.plan import QUICK
from bench.report import report
from bench.rows.row import Row, Target
from bench.stats import Spread
from bench.verdicts import is_kept, judge, values_of


def _unused(*_: object) -> None:
    raise AssertionError("nothing is measured here")


_RATIO = Target(promise="twice the floor", of="a_us", against="floor_us", at_most=2.0)
_PLAIN = Target(promise="enough", of="per_s", at_least=100.0, unit="/s")
_UPPER = Target(promise="surely", of="a_us", against="floor_us", at_most=2.0, judged="upper")


def _row(number: int, *targets: Target, awake: bool = False) -> Row:
    return Row(number=number, title="a row", targets=targets, open=_unused, kept_awake=awake)  # type: ignore[arg-type]


def _results(*rows: RowFigures) -> Results:
    return Results(
        taken="2026-01-01",
        programs={"mcpgw": "0"},
        machine=describe_machine("Docker 0", 0.25),
        plan=QUICK,
        rows=rows,
    )


def _rounds(*ratios: float) -> tuple[dict[str, float], ...]:
    return tuple({"floor_us": 10.0, "a_us": 10.0 * ratio, "per_s": 90.0} for ratio in ratios)


def test_a_ratio_is_taken_within_each_round() -> None:
    """What disturbs a round disturbs both."""
    rounds = ({"floor_us": 1.0, "a_us": 3.0}, {"floor_us": 100.0, "a_us": 150.0})
    assert values_of(_RATIO, rounds) == [3.0, 1.5]


def test_medians_are_judged() -> None:
    """One bad round breaks no promise, two of three do; both limits have their direction."""
    good, bad = (RowFigures(number=1, rounds=_rounds(*them)) for them in ((1, 1, 9), (1, 9, 9)))
    rows = [_row(1, _RATIO, _PLAIN)]
    assert [v.outcome for v in judge(_results(good), rows)] == ["kept", "missed"]
    assert [v.outcome for v in judge(_results(bad), rows)] == ["missed", "missed"]
    assert judge(_results(good), rows)[0].measured == Spread(1.0, 1.0, 9.0)


def test_an_upper_bound_is_judged_by_the_interval() -> None:
    """The median is kept in both; only in one of them it is sure."""
    few, many = (
        RowFigures(number=1, rounds=_rounds(*[1.0] * (15 - count), *[9.0] * count))
        for count in (5, 3)
    )
    rows = [_row(1, _UPPER)]
    assert [v.outcome for v in judge(_results(few), rows)] == ["missed"]
    assert [v.outcome for v in judge(_results(many), rows)] == ["kept"]


def test_what_was_not_measured_is_not_kept() -> None:
    """A row that is not built yet, one that broke, and a figure that is missing in one round."""
    missing = (*_rounds(1), {"floor_us": 1.0})
    rows = [_row(number, _RATIO) for number in (1, 2, 3)]
    results = _results(
        RowFigures(number=1, not_yet="this build has no `--link`"),
        RowFigures(number=2, failed="it fell over"),
        RowFigures(number=3, rounds=missing),
    )
    verdicts = judge(results, rows)
    assert [v.outcome for v in verdicts] == ["not available yet", "failed", "not available yet"]
    assert not any(v.kept for v in verdicts)
    assert "Row 1: not available yet, because: this build has no `--link`." in report(results, rows)
    assert "Other programs had 25% of the cores." in report(results, rows)
    assert "0 of 3 rows are kept" in report(results, rows)


def test_the_quick_run_has_a_wide_band() -> None:
    """It breaks where a figure is off by more than any noise."""
    rows = [_row(1, _RATIO)]
    for ratio, outcome in ((40.0, "kept"), (100.0, "missed")):
        results = _results(RowFigures(number=1, rounds=_rounds(ratio)))
        assert [v.outcome for v in judge(results, rows, quick=True)] == [outcome]
    awake = RowFigures(number=1, rounds=_rounds(100), asleep=_rounds(9))
    assert [v.outcome for v in judge(_results(awake), rows, quick=True)] == ["kept"]
    assert [v.outcome for v in judge(_results(awake), rows)] == ["missed"]


def test_figures_without_spinners_stand_beside() -> None:
    """They are shown and not judged."""
    figures = RowFigures(number=1, rounds=_rounds(1), asleep=_rounds(7))
    (verdict,) = judge(_results(figures), [_row(1, _RATIO, awake=True)])
    assert verdict.kept
    assert verdict.asleep == Spread(7.0, 7.0, 7.0)


def test_a_target_has_a_limit() -> None:
    """One without would always be kept."""
    with pytest.raises(ValueError, match="no limit"):
        is_kept(Target(promise="nothing", of="a"), 1.0)
