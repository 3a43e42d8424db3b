"""Pauses between attempts."""

from __future__ import annotations

from random import Random

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from actors.kit.backoff import Backoff


class Highest(Random):
    """Always draws the upper bound."""

    def uniform(self, a: float, b: float) -> float:
        """The bound itself."""
        return max(a, b)


async def test_the_bound_doubles_up_to_the_cap() -> None:
    """The pauses may grow to base·2ⁿ, then stay at the cap, for ever."""
    backoff = Backoff(0.5, 3.0, Highest(), 60.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    for _ in range(2000):
        backoff.next_s()
    assert repr(backoff) == "<Backoff next ≤ 3 s>"


async def test_success_starts_anew() -> None:
    """After `reset` the next failure is a first one."""
    backoff = Backoff(0.5, 3.0, Highest(), 60.0)
    backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 0.5


async def test_calm_starts_anew(mock_clock: MockClock) -> None:
    """A failure long after the last pause is a first one; the pause itself does not count as calm."""
    backoff = Backoff(4.0, 100.0, Highest(), 10.0)
    assert backoff.next_s() == 4.0
    mock_clock.jump(4.0 + 9.9)
    assert backoff.next_s() == 8.0
    mock_clock.jump(8.0 + 10.0)
    assert backoff.next_s() == 4.0


async def test_a_base_above_the_cap_is_capped() -> None:
    """No pause is longer than the cap, not even the first."""
    assert Backoff(9.0, 3.0, Highest(), 60.0).next_s() == 3.0


@given(st.integers(), st.integers(0, 12))
def test_the_draw_is_from_zero_to_the_bound(seed: int, failures: int) -> None:
    """Full jitter: every pause lies between 0 and min(cap, base·2ⁿ)."""

    async def main() -> None:
        backoff = Backoff(0.1, 5.0, Random(seed), 60.0)
        for n in range(failures):
            assert 0.0 <= backoff.next_s() <= min(5.0, 0.1 * 2**n)

    trio.run(main)
