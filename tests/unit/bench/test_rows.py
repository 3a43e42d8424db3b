"""The table of rows."""

from __future__ import annotations

from bench.plan import FULL
from bench.rows import ROWS
from bench.verdicts import is_kept


def test_the_table_is_whole() -> None:
    """Fourteen rows in order, each with targets that have one limit."""
    assert [row.number for row in ROWS] == list(range(1, 15))
    targets = [target for row in ROWS for target in row.targets]
    assert all((t.at_most is None) != (t.at_least is None) for t in targets)
    assert len({(row.number, t.promise) for row in ROWS for t in row.targets}) == len(targets)


def test_limits_have_the_right_side() -> None:
    """Ten times worse is missed, ten times better is kept."""
    for target in (target for row in ROWS for target in row.targets):
        limit = target.at_most if target.at_most is not None else target.at_least
        assert limit is not None
        worse = 10.0 if target.at_most is not None else 0.1
        assert is_kept(target, limit)
        assert is_kept(target, limit / worse)
        assert not limit or not is_kept(target, limit * worse)


def test_the_full_plan_is_what_the_table_asks_for() -> None:
    """At least 5 rounds, 9 where cores are kept awake, 15 where an interval is judged."""
    for row in ROWS:
        assert row.rounds(FULL) >= (15 if row.paired else 9 if row.kept_awake else 5)
    assert [row.number for row in ROWS if row.kept_awake] == [1, 2, 3, 8]
    judged = [row.number for row in ROWS if any(t.judged == "upper" for t in row.targets)]
    assert judged == [row.number for row in ROWS if row.paired] == [14]
