"""How many spares, and of which kind: floor, ceiling, history."""

from __future__ import annotations

import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.arrivals import Arrivals
from actors.assignment import Slot
from actors.sizing import (
    UNSPOKEN,
    Forecast,
    forecast,
    missing_kinds,
    shares,
    to_freeze,
    to_greet,
    to_thaw,
    to_wake,
)
from gateway import limits
from tests.unit.actors.test_arrivals import after
from tests.unit.actors.test_assignment import POOLING, slot


def test_all_but_the_freshest_spares_are_frozen() -> None:
    """After a while; owned ones, and those that were not greeted yet, never."""
    slots = [
        slot(1, idle_since=0.0),
        slot(2, idle_since=5.0),
        slot(3, idle_since=9.0),
        slot(4, "a"),
        slot(5, ready=False, told=False),
    ]
    assert to_freeze(slots, 29.0, 1) == ([], 30.0)
    assert to_freeze(slots, 30.0, 1) == ([1], 35.0)
    assert to_freeze(slots, 40.0, 1) == ([2, 1], math.inf)
    assert to_freeze(slots, 40.0, 9) == ([], math.inf)


def test_as_many_are_thawed_as_are_needed() -> None:
    """Those that start count as awake: they will be soon."""
    frozen = [slot(n, ready=False, frozen=True) for n in (1, 2, 3)]
    assert to_thaw(frozen, 2) == [1, 2]
    assert to_thaw([*frozen, slot(4, ready=False, open=False)], 2) == [1]
    assert to_thaw(frozen, 0) == []


def test_a_client_that_comes_has_its_spare_thawed() -> None:
    """Unless one of its kind is awake."""
    frozen = slot(1, ready=False, frozen=True, profile="x")
    assert to_wake([frozen], "x") == 1
    assert to_wake([frozen], "y") is None
    assert to_wake([frozen, slot(2, profile="x")], "x") is None


recent_strategy = st.lists(st.sampled_from(["", "x", "y", "z"]), max_size=16)


def test_without_a_history_the_floor_holds() -> None:
    """And nothing but somebody's coming changes that."""
    for warm in (0, 2):
        rules = msgspec.structs.replace(POOLING, warm=warm)
        plan = forecast(Arrivals(), rules, 0.0, start_s=0.5)
        assert plan == Forecast(warm, math.inf, awake=min(warm, 1))


def test_spares_are_there_before_the_usual_gap_is_over() -> None:
    """A start's time earlier, and until the longest usual gap is over."""
    history = after(*[10.0] * 20)  # the last one came at 200
    early = forecast(history, POOLING, 200.0, start_s=0.5)
    assert early.spares == 0
    assert 204 < early.until < 210
    due = forecast(history, POOLING, early.until, start_s=0.5)
    assert due.spares == 1
    assert 210 < due.until < 217
    assert forecast(history, POOLING, due.until, start_s=0.5) == Forecast(0, math.inf)


def test_a_rush_asks_for_more_within_bounds() -> None:
    """For as many as come while one starts; never for more than can be started meanwhile."""
    rules = msgspec.structs.replace(POOLING, max=20)
    rush = after(*[0.0] * 20)
    assert forecast(rush, rules, 0.0, start_s=0.5).spares == limits.SPARES_AHEAD
    assert forecast(rush, POOLING, 0.0, start_s=0.5).spares == POOLING.max


def test_before_anybody_came_spares_are_not_spoken_to() -> None:
    """They can be greeted in any client's name."""
    assert shares(3, []) == {UNSPOKEN: 3}


def test_spares_are_shared_out_by_who_came() -> None:
    """One at least stays unspoken where there are two, for whoever was not seen yet."""
    assert shares(1, ["x", "x"]) == {"x": 1}
    assert shares(1, ["x", "y"]) == {UNSPOKEN: 1, "x": 0, "y": 0}
    assert shares(4, ["x"]) == {UNSPOKEN: 1, "x": 3}
    assert shares(5, ["x", "x", "x", "y"]) == {UNSPOKEN: 1, "x": 3, "y": 1}


def test_what_is_missing_is_started() -> None:
    """Owned and stale containers are no spares; a kind that is there is not started again."""
    slots = [slot(1, profile="x"), slot(2, "a", profile="x"), slot(3, profile="x", stale=True)]
    assert missing_kinds(slots, 2, ["x"]) == [UNSPOKEN]
    assert missing_kinds(slots, 1, ["y"]) == []


def test_a_client_that_comes_has_a_spare_greeted() -> None:
    """The one that runs already; none where a spare awaits that client, or none is unspoken."""
    starting = slot(1, ready=False, told=False, open=False)
    running = slot(2, ready=False, told=False)
    assert to_greet([starting, running], "x") == 2
    assert to_greet([starting], "x") == 1
    assert to_greet([starting, slot(3, profile="x")], "x") is None
    assert to_greet([slot(4, "a")], "x") is None


@given(st.integers(0, 20), recent_strategy)
def test_shares_add_up(spares: int, recent: list[str]) -> None:
    """No kind gets less than nothing, and together they are what was asked for."""
    shared = shares(spares, recent)
    assert min(shared.values()) >= 0
    assert sum(shared.values()) == spares


@given(
    st.lists(
        st.builds(
            Slot,
            key=st.integers(),
            owner=st.sampled_from([None, "a"]),
            ready=st.booleans(),
            inflight=st.just(0),
            stale=st.booleans(),
            idle_since=st.just(0.0),
            profile=st.sampled_from(["", "x", "y"]),
            told=st.booleans(),
        ),
        max_size=8,
    ),
    st.integers(0, 8),
    recent_strategy,
)
def test_what_is_started_fills_the_number_exactly(
    slots: list[Slot], spares: int, recent: list[str]
) -> None:
    """Whatever kinds are there, as many are started as spares are missing."""
    there = sum(1 for one in slots if one.owner is None and not one.stale)
    assert len(missing_kinds(slots, spares, recent)) == max(0, spares - there)


@given(
    st.lists(st.floats(0, 100), max_size=40),
    st.integers(0, 5),
    st.integers(1, 5),
    st.floats(0, 200),
    st.floats(0.01, 5),
)
def test_floor_and_ceiling_hold(
    gaps: list[float], warm: int, most: int, later: float, start_s: float
) -> None:
    """Whatever the history says; and once `idle_s` is over, the floor is all that is left."""
    rules = msgspec.structs.replace(POOLING, warm=warm, max=most)
    history = after(*gaps)
    assert history.last is not None
    now = history.last + later
    plan = forecast(history, rules, now, start_s=start_s)
    assert min(warm, most) <= plan.spares <= most
    assert plan.until > now
    assert min(warm, 1) <= plan.awake <= plan.spares
    if later >= rules.idle_s:
        assert plan == Forecast(min(warm, most), math.inf, awake=min(warm, 1))
