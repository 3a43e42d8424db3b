"""Clients whose calls wait for the same container take turns (`gateway.sharing.Turns`)."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from actors.call import Call
from gateway.sharing import Turns
from tests.fakes.house import Answers

steps = st.lists(st.sampled_from(["a", "b", "c", "take", "back", "remove"]), max_size=60)


async def test_who_waits_with_one_call_is_behind_one_call_of_each(
    autojump_clock: MockClock,
) -> None:
    """However many of a busy client wait already."""
    answers = Answers()
    turns: Turns[Call] = Turns()
    busy = [answers.call(client="busy") for _ in range(100)]
    for call in busy:
        turns.add(call.client, call)
    polite = answers.call(client="polite")
    turns.add(polite.client, polite)
    assert [turns.take_next() for _ in range(3)] == [busy[0], polite, busy[1]]
    assert len(turns) == 98
    assert repr(turns) == "<Turns of 98, 1 clients>"


@given(steps)
async def test_each_client_keeps_its_order_and_nobody_is_overtaken_twice(script: list[str]) -> None:
    """Whatever is added, taken, put back and withdrawn."""
    answers = Answers()
    turns: Turns[Call] = Turns()
    lines: dict[str, deque[Call]] = {name: deque() for name in "abc"}
    passed: Counter[str] = Counter()
    """How often others were served while this client waited."""
    for step in script:
        waiting = {name for name, line in lines.items() if line}
        if step in lines:
            call = answers.call(client=step)
            lines[step].append(call)
            turns.add(call.client, call)
        elif step == "remove" and waiting:
            name = max(waiting)
            call = lines[name].pop()
            if not lines[name]:
                # It no longer waits; what it calls later is behind the others.
                passed[name] = 0
            assert turns.remove(call.client, call)
            assert not turns.remove(call.client, call)
        elif waiting:
            call = turns.take_next()
            assert call is lines[call.client].popleft()
            if step == "back":
                turns.put_back(call.client, call)
                assert turns.take_next() is call
            passed[call.client] = 0
            for name in waiting - {call.client}:
                passed[name] += 1
                assert passed[name] < 3
        else:
            with pytest.raises(IndexError):
                turns.take_next()
        assert len(turns) == sum(map(len, lines.values()))
        assert set(turns) == {call for line in lines.values() for call in line}
