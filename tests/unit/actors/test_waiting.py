"""The queues of waiting calls: order, room, leaving."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from actors.call import Call
from actors.waiting import WaitingCalls
from gateway.errors import Gone
from tests.fakes.house import Answers


@pytest.fixture
def left() -> list[str]:
    """What was told of withdrawals."""
    return []


@pytest.fixture
def waiting(left: list[str], autojump_clock: MockClock) -> WaitingCalls:
    """Empty queues."""
    return WaitingCalls(lambda: left.append("one"))


async def test_calls_are_placed_in_their_order_until_one_must_wait(waiting: WaitingCalls) -> None:
    """Where the second finds no room, those behind it stay behind it."""
    answers = Answers()
    calls = [answers.call() for _ in range(3)]
    for call in calls:
        waiting.add(call)
    placed: list[Call] = []

    def place(call: Call) -> None:
        if placed:
            waiting.add(call)
        else:
            placed.append(call)

    waiting.place_again("session:a", place)
    assert placed == calls[:1]
    assert list(waiting.queues["session:a"]) == calls[1:]
    assert [waiting.take("session:a"), waiting.take("session:a")] == calls[1:]
    assert waiting.take("session:a") is None
    for call in calls[1:]:
        waiting.add(call)
    assert (len(waiting), waiting.count("session:b")) == (2, 0)


async def test_a_withdrawn_call_leaves_no_empty_queue(
    waiting: WaitingCalls, left: list[str]
) -> None:
    """A warm call only looks whether its owner has a queue."""
    answers = Answers()
    call = answers.call()
    waiting.add(call)
    call.withdraw("cancelled")
    assert waiting.queues == {}
    assert left == ["one"]
    assert answers.text(call) == "withdrawn"


async def test_an_owner_that_leaves_takes_its_calls_along(waiting: WaitingCalls) -> None:
    """And nobody else's."""
    answers = Answers()
    mine, other = answers.call("session:a"), answers.call("session:b")
    waiting.add(mine)
    waiting.add(other)
    waiting.withdraw_all("session:a")
    assert answers.text(mine) == "withdrawn"
    assert other not in answers.ended


async def test_failing_answers_every_call(waiting: WaitingCalls) -> None:
    """Of one owner, or of all."""
    answers = Answers()
    calls = [answers.call(owner) for owner in ("session:a", "session:b", "session:c")]
    for call in calls:
        waiting.add(call)
    waiting.fail("session:a", Gone("one reason"))
    assert list(answers.ended) == calls[:1]
    waiting.fail_all(Gone("another"))
    assert [answers.text(call) for call in calls] == ["one reason", "another", "another"]
    assert waiting.queues == {}
