"""actors/list_retries.py: pauses that grow, a few tries by itself, and nobody waits for what has just failed."""

from __future__ import annotations

import math

from actors.list_retries import ListRetries
from gateway import limits


def test_pauses_double_and_end() -> None:
    """One second, two, four, eight, sixteen; then only who asks has it tried, every half minute at most."""
    retries, now = ListRetries(), 100.0
    pauses = []
    for _ in range(limits.LIST_RETRIES):
        retries.failed("one", "no engine", now)
        pauses.append(retries.next_due() - now)
        now = retries.next_due()
        assert retries.hopeless("one", now)
        assert retries.take_due(now) == ["one"]
        assert retries.next_due() == math.inf
    assert pauses == [1, 2, 4, 8, 16]
    retries.failed("one", "no engine", now)
    assert retries.next_due() == math.inf
    assert retries.hopeless("one", now + limits.LIST_RETRY_S - 1)
    assert not retries.hopeless("one", now + limits.LIST_RETRY_S)


def test_what_is_not_due_is_left() -> None:
    """Each server has pauses of its own."""
    retries = ListRetries()
    retries.failed("two", "b", 0.5)
    retries.failed("one", "a", 0.0)
    assert retries.next_due() == 1.0
    assert retries.take_due(1.2) == ["one"]
    assert retries.take_due(1.2) == []
    assert retries.take_due(1.5) == ["two"]


def test_what_was_read_is_forgotten() -> None:
    """The next failure begins with the short pause."""
    retries = ListRetries()
    for at in (0.0, 1.0):
        retries.failed("one", "why", at)
    assert retries.reason("one") == "why"
    retries.forget("one")
    assert (retries.reason("one"), retries.hopeless("one", 1.0)) == ("", False)
    assert retries.next_due() == math.inf
    retries.failed("one", "again", 10.0)
    assert retries.next_due() == 11.0
