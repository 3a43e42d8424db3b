"""actors/relisting.py: several wishes are one, and a server that keeps announcing is read ever more seldom."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.relisting import Relisting
from gateway import limits
from gateway.errors import GatewayError, TooSlow
from gateway.jsonrpc import codec
from gateway.mcp.listing import ServerLists

EMPTY = ServerLists(version="2025-11-25", capabilities={}, server_info=codec.raw({}))


class Reads:
    """Lists that are read; notes when, whether a change was announced, and what failed."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, bool]] = []
        self.failed: list[GatewayError] = []
        self.fails: GatewayError | None = None
        self.relisting = Relisting(took=self._took, failed=self.failed.append)

    async def read(self) -> ServerLists:
        """Takes a moment."""
        await trio.sleep(0.1)
        if self.fails is not None:
            raise self.fails
        return EMPTY

    def _took(self, lists: ServerLists, *, announced: bool) -> None:
        assert lists is EMPTY
        self.taken.append((trio.current_time(), announced))


@pytest.fixture
async def reads(nursery: trio.Nursery) -> Reads:
    """A server whose lists can be wanted."""
    made = Reads()
    nursery.start_soon(made.relisting.run, made.read)
    await wait_all_tasks_blocked()
    return made


async def test_wishes_that_come_together_are_one(reads: Reads, autojump_clock: MockClock) -> None:
    """One that comes while they are read is another one: something may have changed meanwhile."""
    lists = reads.relisting
    assert not lists.done_once
    lists.want()
    lists.want()
    assert lists.underway
    await trio.sleep(0.05)
    lists.want()
    await trio.sleep(1.0)
    assert [announced for _, announced in reads.taken] == [False, False]
    assert (lists.underway, lists.done_once) == (False, True)


async def test_announcements_are_read_ever_more_seldom(
    reads: Reads, autojump_clock: MockClock
) -> None:
    """The pause doubles up to its cap, and is short again after a quiet time."""
    for _ in range(2000):
        reads.relisting.announce()
        await trio.sleep(0.1)
    times = [when for when, _ in reads.taken]
    gaps = [round(later - earlier) for earlier, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[:3] == [1, 1, 2]
    assert gaps[-1] == limits.RELIST_PAUSE_CAP_S
    await trio.sleep(3 * limits.RELIST_PAUSE_CAP_S)
    reads.taken.clear()
    for _ in range(2):
        reads.relisting.announce()
        await trio.sleep(2 * limits.RELIST_PAUSE_S + 0.3)
    assert len(reads.taken) == 2


async def test_a_failure_is_told_and_no_end(reads: Reads, autojump_clock: MockClock) -> None:
    """The next wish tries again."""
    reads.fails = TooSlow("too slow")
    reads.relisting.want()
    await trio.sleep(1.0)
    assert reads.failed == [reads.fails]
    assert (reads.relisting.underway, reads.relisting.done_once) == (False, False)
    reads.fails = None
    reads.relisting.want()
    await trio.sleep(1.0)
    assert reads.relisting.done_once
