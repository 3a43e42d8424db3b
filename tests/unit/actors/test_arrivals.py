"""The histogram of gaps: what a history says, and that it never says too much."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from actors.arrivals import Arrivals
from gateway import limits

gaps_strategy = st.lists(st.floats(0, 20_000), min_size=1, max_size=400)


def after(*gaps: float) -> Arrivals:
    """A history of arrivals that far apart."""
    arrivals = Arrivals()
    now = 0.0
    arrivals.add(now)
    for gap in gaps:
        now += gap
        arrivals.add(now)
    return arrivals


def test_a_short_history_says_nothing() -> None:
    """A client that connects a few times is no habit."""
    assert Arrivals().window(idle_s=60) is None
    assert after(*[5.0] * (limits.FORECAST_GAPS - 1)).window(idle_s=60) is None
    assert after(*[5.0] * limits.FORECAST_GAPS).window(idle_s=60) is not None


def test_the_window_holds_the_usual_gap() -> None:
    """Not long before it, not long after it."""
    arrivals = after(*[10.0] * 20)
    window = arrivals.window(idle_s=60)
    assert arrivals.last == 200
    assert window is not None
    assert 205 <= window[0] <= 210 <= window[1] <= 217


def test_nobody_is_expected_after_the_idle_time() -> None:
    """Where most gaps are longer than that, there is no forecast at all."""
    assert after(*[100.0] * 20).window(idle_s=60) is None
    mixed = after(*[1.0] * 15, *[1000.0] * 5).window(idle_s=60)
    assert mixed is not None
    assert mixed[1] == 15 + 5000 + 60


def test_old_habits_fade() -> None:
    """Who came every minute, and now comes every second, is expected in a second."""
    arrivals = after(*[60.0] * 200, *[1.0] * 300)
    assert arrivals.gap_s(0.5) < 1.5
    assert arrivals.known < 257
    assert repr(arrivals).startswith("<Arrivals ")


def test_as_many_are_expected_as_usually_come_meanwhile() -> None:
    """At least one, however seldom they come."""
    assert 4 <= after(*[0.1] * 20).during(0.5) <= 8
    assert after(*[30.0] * 20).during(0.5) == 1
    assert after(*[1e9] * 20).during(0.5) == 1


@given(gaps_strategy, st.floats(0, 600))
def test_a_window_begins_after_the_last_arrival_and_ends_in_time(
    gaps: list[float], idle_s: float
) -> None:
    """Whatever came before, nothing is kept longer than `idle_s` after the last arrival."""
    arrivals = after(*gaps)
    assert arrivals.last is not None
    if (window := arrivals.window(idle_s=idle_s)) is not None:
        assert arrivals.last <= window[0] <= window[1] <= arrivals.last + idle_s


@given(gaps_strategy, st.floats(0, 1), st.floats(0, 1))
def test_percentiles_rise(gaps: list[float], one: float, other: float) -> None:
    """A greater share of gaps has a greater bound, and at least that share lies below it."""
    arrivals = after(*gaps)
    low, high = sorted((one, other))
    assert arrivals.gap_s(low) <= arrivals.gap_s(high)
    bound = arrivals.gap_s(high)
    if len(gaps) < 256 and bound < math.inf:
        assert sum(gap <= bound * 1.001 for gap in gaps) >= math.floor(high * len(gaps))
