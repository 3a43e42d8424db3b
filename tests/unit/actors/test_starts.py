"""Places of starts: bounded, given up by slow ones, shared fairly."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.starts import Starts
from gateway import limits


class Starter:
    """Starts servers that take as long as they are told; notes when each got its place."""

    def __init__(self, starts: Starts) -> None:
        self.starts = starts
        self.began: list[tuple[str, float]] = []

    async def start(self, server: str, takes_s: float) -> None:
        """One start."""
        async with self.starts.place(server):
            self.began.append((server, trio.current_time()))
            await trio.sleep(takes_s)


async def test_no_more_than_there_are_places(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The next one begins when one is done."""
    starter = Starter(Starts(2))
    for _ in range(3):
        nursery.start_soon(starter.start, "a", 1.0)
    await trio.sleep(1.5)
    assert [when for _, when in starter.began] == [0.0, 0.0, 1.0]
    await trio.sleep(1.0)
    assert repr(starter.starts) == "<Starts 0 of 2, 0 waiting>"


async def test_who_hangs_gives_its_place_up(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Starts that do not end hold up others for a moment only, and go on."""
    starter = Starter(Starts(2))
    for _ in range(2):
        nursery.start_soon(starter.start, "hangs", 300.0)
    await wait_all_tasks_blocked()
    nursery.start_soon(starter.start, "other", 1.0)
    await trio.sleep(limits.START_PLACE_S + 0.1)
    assert starter.began[-1] == ("other", pytest.approx(limits.START_PLACE_S))
    assert repr(starter.starts) == "<Starts 3 of 2, 0 waiting>"
    await trio.sleep(301.0)


async def test_the_server_with_the_fewest_starts_comes_first(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """However many of one server's starts wait, another server's is next."""
    starter = Starter(Starts(2))
    for _ in range(10):
        nursery.start_soon(starter.start, "many", 300.0)
    await wait_all_tasks_blocked()
    nursery.start_soon(starter.start, "few", 0.1)
    await trio.sleep(limits.START_PLACE_S + 0.05)
    assert ("few", pytest.approx(limits.START_PLACE_S)) in starter.began
    nursery.cancel_scope.cancel()


async def test_a_cancelled_wait_takes_no_place(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Whoever waits behind it is not held up."""
    starter = Starter(Starts(1))
    nursery.start_soon(starter.start, "a", 1.0)
    await wait_all_tasks_blocked()
    with trio.move_on_after(0.5):
        await starter.start("b", 1.0)
    assert repr(starter.starts) == "<Starts 1 of 1, 0 waiting>"
    await trio.sleep(1.0)
    await starter.start("c", 1.0)
    assert starter.began[-1][0] == "c"
