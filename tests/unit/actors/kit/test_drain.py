"""Waiting for what is in flight."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.kit.drain import Drain
from gateway.errors import Overloaded


async def test_an_empty_drain_ends_at_once() -> None:
    """With nothing in flight there is nothing to wait for."""
    drain = Drain()
    drain.begin()
    await drain.wait_empty()


async def test_the_door_is_shut_while_draining() -> None:
    """No new work enters once the drain has begun."""
    drain = Drain("gateway")
    assert not drain.draining
    drain.begin()
    assert drain.draining
    with pytest.raises(Overloaded, match="the gateway is shutting down"):
        drain.enter()


async def test_all_waiters_return_with_the_last_one_out() -> None:
    """The wait ends when, and only when, everything in flight has left."""
    drain = Drain()
    drain.enter()
    drain.enter()
    assert repr(drain) == "<Drain of gateway: 2 in flight, open>"
    drain.begin()
    ended: list[int] = []

    async def wait(number: int) -> None:
        await drain.wait_empty()
        ended.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, 1)
        nursery.start_soon(wait, 2)
        drain.leave()
        await wait_all_tasks_blocked()
        assert ended == []
        assert repr(drain) == "<Drain of gateway: 1 in flight, draining>"
        drain.leave()
    assert sorted(ended) == [1, 2]
    assert drain.in_flight == 0


async def test_the_deadline_is_the_callers(autojump_clock: MockClock) -> None:
    """A wait that is cut off leaves the count as it is."""
    drain = Drain()
    drain.enter()
    with trio.move_on_after(5.0) as scope:
        await drain.wait_empty()
    assert scope.cancelled_caught
    assert drain.in_flight == 1


def test_leaving_twice_is_a_bug() -> None:
    """The count never goes below zero silently."""
    with pytest.raises(RuntimeError, match="more left the gateway than entered"):
        Drain().leave()
