"""The deadlines of calls: one sweeper for all, which rests while there are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from actors.call import Answer, Call, Deadlines
from gateway import limits
from gateway.jsonrpc.messages import Failure

Ended = list[tuple[float, Answer | None]]


@pytest.fixture
def ended() -> Ended:
    """When calls have ended, and with what."""
    return []


@pytest.fixture
def call(ended: Ended) -> Callable[[float], Call]:
    """Makes a call that may take so many seconds."""

    def make(timeout_s: float) -> Call:
        return Call(
            "tools/call",
            {},
            server="fake",
            owner="somebody",
            timeout_s=timeout_s,
            settled=lambda _call, answer: ended.append((trio.current_time(), answer)),
            relayed=lambda _call, _message: None,
        )

    return make


@pytest.fixture
async def deadlines(nursery: trio.Nursery, autojump_clock: MockClock) -> Deadlines:
    """A sweeper that rests."""
    deadlines = Deadlines()
    nursery.start_soon(deadlines.run)
    await trio.testing.wait_all_tasks_blocked()
    return deadlines


async def test_calls_fail_soon_after_their_deadlines(
    deadlines: Deadlines, call: Callable[[float], Call], ended: Ended
) -> None:
    """Also one that comes while the sweeper is awake for another, and one that comes after it has rested again."""
    for _ in range(2):
        began = trio.current_time()
        for timeout_s in (0.01, 1.0):
            deadlines.watch(call(timeout_s))
            await trio.sleep(0.1)
        await trio.sleep(5)
        late_s = [at - began - due for (at, _), due in zip(ended, (0.01, 1.1), strict=True)]
        assert all(0 <= one <= limits.DEADLINE_REST_S + limits.DEADLINE_SWEEP_S for one in late_s)
        assert all(isinstance(answer, Failure) for _, answer in ended)
        ended.clear()


async def test_a_call_that_is_answered_soon_has_nobody_look_at_deadlines(
    deadlines: Deadlines, call: Callable[[float], Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task switch beside each call of a client that makes one now and then would cost more than the call."""
    sweeps: list[float] = []

    async def sleep(seconds: float) -> float:
        sweeps.append(seconds)
        await trio.sleep(seconds)
        return 0.0

    monkeypatch.setattr("actors.call.sleep_awake", sleep)
    for _ in range(3):
        soon = call(60.0)
        deadlines.watch(soon)
        await trio.testing.wait_all_tasks_blocked()
        soon.settle(None)
        await trio.sleep(1)
    assert sweeps == []
