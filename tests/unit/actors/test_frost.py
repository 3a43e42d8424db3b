"""One container's way into the frost and back."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.frost import Frost
from gateway.errors import BackendError
from tests.fakes.house import FakeFreezer


async def test_it_is_frozen_until_it_has_thawed(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A wish to thaw it that comes early is kept; there may be a next time."""
    freezer = FakeFreezer()
    frost = Frost(freezer, "x")
    for _ in range(2):
        nursery.start_soon(frost.next_thaw)
        frost.thaw()
        assert not frost.frozen
        frost.freeze()
        assert (frost.frozen, frost.thawing) == (True, False)
        frost.thaw()
        assert frost.thawing
        await wait_all_tasks_blocked()
        assert not frost.frozen
    assert freezer.done == ["freeze x", "thaw x"] * 2


async def test_what_cannot_be_frozen_stays_awake(autojump_clock: MockClock) -> None:
    """It goes on taking calls."""
    freezer = FakeFreezer()
    freezer.fails["freeze"] = BackendError("no freezer here")
    frost = Frost(freezer, "x")
    frost.freeze()
    await frost.next_thaw()
    assert not frost.frozen


async def test_what_cannot_be_thawed_is_told(autojump_clock: MockClock) -> None:
    """It is of no use to anyone."""
    freezer = FakeFreezer()
    freezer.fails["thaw"] = BackendError("it is gone")
    frost = Frost(freezer, "x")
    frost.freeze()
    frost.thaw()
    with pytest.raises(BackendError, match="it is gone"):
        await frost.next_thaw()
