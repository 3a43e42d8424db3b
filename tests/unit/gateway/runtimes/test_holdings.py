"""gateway/runtimes/holdings.py: what nobody holds is found, and never what somebody does."""

from __future__ import annotations

import uuid

import pytest
import trio
from trio.testing import MockClock

from gateway.errors import EngineUnreachable
from gateway.runtimes.holdings import Holdings
from gateway.runtimes.ownership import remove_orphans
from tests.unit.gateway.runtimes.test_ownership import FakeContainers, container

OURS = uuid.uuid4().hex


async def is_dropped(holdings: Holdings) -> bool:
    """Whether something may be left; takes note of it."""
    with trio.move_on_after(0.01):
        await holdings.dropped()
        return True
    return False


async def test_what_is_held_is_kept(autojump_clock: MockClock) -> None:
    """The one whose removal failed goes, the one in use stays."""
    holdings = Holdings()
    engine = FakeContainers(container("a", "home", OURS), container("b", "home", OURS))
    holdings.hold("a")
    holdings.hold("b")
    assert await remove_orphans(engine, OURS, holdings) == []
    holdings.release("b", removed=False)
    assert await is_dropped(holdings)
    assert await remove_orphans(engine, OURS, holdings) == ["mcp-x-b"]
    assert list(engine.there) == ["a"]
    assert not await is_dropped(holdings)


async def test_what_was_removed_is_forgotten(autojump_clock: MockClock) -> None:
    """In good order there is nothing to look for."""
    holdings = Holdings()
    holdings.hold("a")
    holdings.release("a", removed=True)
    assert not await is_dropped(holdings)


async def test_a_creation_is_waited_for(autojump_clock: MockClock) -> None:
    """The engine may have the container before we know its id; another look follows."""
    holdings = Holdings()
    engine = FakeContainers(container("new", "home", OURS))
    with holdings.creating():
        assert await remove_orphans(engine, OURS, holdings) == []
        holdings.hold("new")
    assert await is_dropped(holdings)
    assert await remove_orphans(engine, OURS, holdings) == []


async def test_a_creation_that_failed_may_have_left_something(autojump_clock: MockClock) -> None:
    """An engine that was killed meanwhile has it all the same."""
    holdings = Holdings()
    with pytest.raises(EngineUnreachable), holdings.creating():
        raise EngineUnreachable("killed")
    assert await is_dropped(holdings)


async def test_what_cannot_be_removed_is_tried_again(autojump_clock: MockClock) -> None:
    """A failure is a sign that something is left."""
    holdings = Holdings()
    engine = FakeContainers(container("a", "home", OURS), stubborn="a")
    assert await remove_orphans(engine, OURS, holdings) == []
    assert await is_dropped(holdings)
