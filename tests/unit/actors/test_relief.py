"""What is frozen and stopped for the memory budget, and what never is."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.relief import Holding, Relief, relieve

BASE = Holding(server="a", key=1, used_bytes=100, idle_since=0.0, awake=True)


def holding(key: int, **changes: object) -> Holding:
    """An idle, awake spare of 100 bytes."""
    return msgspec.structs.replace(BASE, key=key, **changes)


def test_far_from_the_budget_nothing_happens() -> None:
    """What is kept costs nobody anything there."""
    assert relieve([holding(1), holding(2)], 1000) == Relief()


def test_near_the_budget_what_is_idle_is_frozen() -> None:
    """It does not grow then; what works, or is frozen, is left alone."""
    held = [holding(1), holding(2, idle=False, awake=False), holding(3, awake=False)]
    assert relieve(held, 350) == Relief(freeze=(("a", 1),))


def test_beyond_the_budget_the_least_valuable_goes() -> None:
    """Spares nobody asked for, then owned ones, then the floor; of each the longest idle."""
    held = [
        holding(1, floor=True),
        holding(2, owned=True, idle_since=5.0),
        holding(3, owned=True, idle_since=2.0),
        holding(4, idle_since=9.0),
    ]
    assert relieve(held, 300).stop == (("a", 4),)
    assert relieve(held, 100).stop == (("a", 4), ("a", 3), ("a", 2))
    assert relieve(held, 400, needed_bytes=50).stop == (("a", 4),)


@given(
    st.lists(
        st.builds(
            Holding,
            server=st.sampled_from(["a", "b"]),
            key=st.integers(0, 99),
            used_bytes=st.integers(0, 1000),
            idle_since=st.floats(0, 100),
            idle=st.booleans(),
            awake=st.booleans(),
            owned=st.booleans(),
            floor=st.booleans(),
        ),
        max_size=12,
        unique_by=lambda one: (one.server, one.key),
    ),
    st.integers(0, 5000),
    st.integers(0, 1000),
)
def test_what_is_left_fits_or_works(held: list[Holding], budget: int, needed: int) -> None:
    """Nothing busy is touched, nothing is both frozen and stopped, and no more is stopped than must be."""
    relief = relieve(held, budget, needed_bytes=needed)
    by_name = {(one.server, one.key): one for one in held}
    assert all(by_name[name].idle for name in (*relief.stop, *relief.freeze))
    assert not set(relief.stop) & set(relief.freeze)
    left = [one for name, one in by_name.items() if name not in relief.stop]
    used = needed + sum(one.used_bytes for one in left)
    assert used <= budget or not any(one.idle for one in left)
    if relief.stop:
        assert used + by_name[relief.stop[-1]].used_bytes > budget
