"""gateway/standstill.py: nothing that came while the process stood still is found overdue."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.call import Answer, Call, Deadlines
from gateway import limits
from gateway.jsonrpc.messages import Failure, Result
from gateway.standstill import sleep_awake
from gateway.transports.deadlines import Deadline, Sweeper
from tests.fakes.server import raw


async def test_a_sleep_that_took_too_long_is_followed_by_others(mock_clock: MockClock) -> None:
    """Not for ever: a loop that is always late must end what is overdue."""
    woke = trio.Event()

    async def sleep() -> None:
        await sleep_awake(0.25)
        woke.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sleep)
        await wait_all_tasks_blocked()
        for _ in range(limits.STANDSTILLS):
            mock_clock.jump(limits.STANDSTILL_S + 10)
            await wait_all_tasks_blocked()
            assert not woke.is_set()
        mock_clock.jump(limits.STANDSTILL_S + 10)
        await wait_all_tasks_blocked()
        assert woke.is_set()


async def test_an_answer_that_came_meanwhile_counts(mock_clock: MockClock) -> None:
    """The call's deadline passed while the gateway was stopped, and so was whoever would have read its answer."""
    deadlines, call, answers = _watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deadlines.run)
        await wait_all_tasks_blocked()
        mock_clock.jump(60)
        await wait_all_tasks_blocked()
        assert answers == []
        call.settle(Result(1, raw({})))
        mock_clock.jump(limits.DEADLINE_SWEEP_S)
        await wait_all_tasks_blocked()
        assert [type(answer) for answer in answers] == [Result]
        nursery.cancel_scope.cancel()


async def test_a_call_without_an_answer_still_fails(mock_clock: MockClock) -> None:
    """A sweep later."""
    deadlines, _, answers = _watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deadlines.run)
        await wait_all_tasks_blocked()
        mock_clock.jump(60)
        await wait_all_tasks_blocked()
        mock_clock.jump(limits.DEADLINE_SWEEP_S)
        await wait_all_tasks_blocked()
        assert [type(answer) for answer in answers] == [Failure]
        nursery.cancel_scope.cancel()


async def test_time_of_a_standstill_does_not_count_for_clients(mock_clock: MockClock) -> None:
    """Their bytes lie in the socket; what is set while they are read counts from then on."""
    done: list[str] = []
    sweeper = Sweeper()
    before, after = Deadline(sweeper), Deadline(sweeper)
    for deadline in (before, after):
        sweeper.add(deadline)
    before.set(limits.HEAD_TIMEOUT_S, lambda: done.append("before"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sweeper.run)
        await wait_all_tasks_blocked()
        mock_clock.jump(limits.HEAD_TIMEOUT_S + 50)
        await wait_all_tasks_blocked()
        after.set(limits.HEAD_TIMEOUT_S, lambda: done.append("after"))
        for _ in range(int((limits.HEAD_TIMEOUT_S - 1) / limits.CONNECTION_SWEEP_S)):
            mock_clock.jump(limits.CONNECTION_SWEEP_S)
            await wait_all_tasks_blocked()
        assert done == []
        for _ in range(int(2 / limits.CONNECTION_SWEEP_S)):
            mock_clock.jump(limits.CONNECTION_SWEEP_S)
            await wait_all_tasks_blocked()
        assert sorted(done) == ["after", "before"]
        nursery.cancel_scope.cancel()


def _watched() -> tuple[Deadlines, Call, list[Answer | None]]:
    """A call of one second, who looks at its deadline, and what it ends with."""
    answers: list[Answer | None] = []
    call = Call(
        "tools/call",
        {},
        server="fake",
        owner="somebody",
        timeout_s=1,
        settled=lambda _call, answer: answers.append(answer),
        relayed=lambda _call, _message: None,
    )
    deadlines = Deadlines()
    deadlines.watch(call)
    return deadlines, call, answers
