"""When a server that keeps failing to start is tried again."""

from __future__ import annotations

from random import Random

import trio
from trio.testing import MockClock

from actors.failed_starts import BEFORE_PAUSE, FailedStarts
from gateway.errors import StartFailed


async def test_only_failures_in_a_row_cause_a_pause(autojump_clock: MockClock) -> None:
    """A start that works in between begins the count anew."""
    starts = FailedStarts(Random(1))
    for _ in range(BEFORE_PAUSE - 1):
        starts.add()
    starts.succeeded()
    starts.add()
    assert starts.refusal("fake") is None
    assert starts.count == 1


async def test_the_refusal_says_how_long_and_why(autojump_clock: MockClock) -> None:
    """It ends by itself, or once something was changed."""
    starts = FailedStarts(Random(1))
    starts.last_error = StartFailed("no such command")
    for _ in range(BEFORE_PAUSE):
        starts.add()
    refusal = starts.refusal("fake")
    assert refusal is not None
    assert "3 times in a row" in str(refusal)
    assert "no such command" in str(refusal)
    await trio.sleep_until(starts.paused_until)
    assert starts.refusal("fake") is None
    starts.begun()
    starts.add()
    starts.forget()
    assert starts.refusal("fake") is None


async def test_after_the_pause_one_start_is_tried_and_decides(autojump_clock: MockClock) -> None:
    """Whoever comes meanwhile is told so; a start that was called off decides nothing."""
    starts = FailedStarts(Random(1))
    for _ in range(BEFORE_PAUSE):
        starts.begun()
        starts.add()
    await trio.sleep_until(starts.paused_until)
    starts.begun()
    assert "it is tried again just now" in str(starts.refusal("fake"))
    starts.given_up()
    assert starts.refusal("fake") is None
    starts.begun()
    starts.succeeded()
    assert starts.refusal("fake") is None
    starts.begun()
    assert starts.refusal("fake") is None
