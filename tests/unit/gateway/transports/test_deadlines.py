"""What is due is done, once, by one sweep for all."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.deadlines import Deadline, Sweeper


async def test_what_is_due_is_done_once(autojump_clock: trio.testing.MockClock) -> None:
    """The newest action counts; none after it was cleared, or its owner is gone."""
    done: list[str] = []
    sweeper = Sweeper()
    kept, cleared, removed = (Deadline(sweeper) for _ in range(3))
    for deadline in (kept, cleared, removed):
        sweeper.add(deadline)
        deadline.set(1, lambda: done.append("old"))
    assert repr(sweeper) == "<Sweeper 3 deadlines>"
    kept.set(2, lambda: done.append("new"))
    cleared.clear()
    sweeper.remove(removed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sweeper.run)
        await trio.sleep(1.9)
        assert done == []
        await trio.sleep(0.1 + 2 * limits.CONNECTION_SWEEP_S)
        assert done == ["new"]
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert done == ["new"]


async def test_one_that_fails_costs_no_other(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""
    done: list[str] = []
    sweeper = Sweeper()
    bad, good = Deadline(sweeper), Deadline(sweeper)

    def fail() -> None:
        raise ZeroDivisionError

    for deadline, act in ((bad, fail), (good, lambda: done.append("good"))):
        sweeper.add(deadline)
        deadline.set(0, act)
    with trio.move_on_after(1):
        await sweeper.run()
    assert done == ["good"]
    assert "deadline_failed" in caplog.text
