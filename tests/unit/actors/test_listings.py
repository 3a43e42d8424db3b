"""The listings by themselves; with sessions and pools they are tested in `test_session` and `test_supervisor`."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from msgspec import structs
from trio.testing import MockClock, wait_all_tasks_blocked

from actors import list_files
from actors.listings import Listings
from gateway import limits
from gateway.errors import StartFailed
from gateway.home import Home
from gateway.jsonrpc import codec
from gateway.mcp.listing import Item, ServerLists
from tests.fakes.house import enabled

NOTHING = ServerLists(version="2025-11-25", capabilities={}, server_info=codec.raw({}))


class Asked:
    """A `Lister` that counts."""

    def __init__(self) -> None:
        self.times = 0
        self.asked = trio.Event()

    def want_lists(self) -> None:
        """Notes that it was asked."""
        self.times += 1
        self.asked.set()


async def test_servers_that_go_while_lists_are_saved_cost_nothing(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload meets a slow disk: what was forgotten meanwhile is not written, and nothing crashes."""
    listings = Listings(Home(tmp_path), names="auto", changed=lambda: None)
    servers = {name: enabled(name) for name in ("one", "two")}
    listings.apply(servers, {name: Asked() for name in servers})
    written: list[Path] = []
    done = trio.Event()

    def write(path: Path, content: bytes) -> None:
        written.append(path)
        trio.from_thread.run_sync(listings.apply, {}, {})
        trio.from_thread.run_sync(done.set)

    monkeypatch.setattr(list_files, "write_atomic", write)
    for name in servers:
        listings.learned(name, NOTHING)
    nursery.start_soon(listings.run)
    await done.wait()
    await wait_all_tasks_blocked()
    assert len(written) == 1
    nursery.cancel_scope.cancel()


async def test_a_server_that_changes_while_it_is_asked_is_asked_again(
    nursery: trio.Nursery, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What was asked may be gone with the question."""
    listings = Listings(Home(tmp_path), names="auto", changed=lambda: None)
    old, new = Asked(), Asked()
    listings.apply({"one": enabled("one")}, {"one": old})
    nursery.start_soon(listings.wait_complete, limits.UNCACHED_LIST_WAIT_S)
    await wait_all_tasks_blocked()
    listings.apply({"one": enabled("one", spec_hash="spec-2")}, {"one": new})
    await wait_all_tasks_blocked()
    assert (old.times, new.times) == (1, 1)
    nursery.cancel_scope.cancel()


async def test_lists_that_could_not_be_read_are_tried_again(
    nursery: trio.Nursery, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """By itself, after pauses that grow, a few times: a client that was given less than all does not ask again."""
    told: list[float] = []
    listings = Listings(
        Home(tmp_path), names="auto", changed=lambda: told.append(trio.current_time())
    )
    lister = Asked()
    listings.apply({"one": enabled("one")}, {"one": lister})
    nursery.start_soon(listings.run)
    with trio.move_on_after(1):
        await listings.wait_complete(5)
    lister.asked = trio.Event()
    begin = trio.current_time()
    asked_at: list[float] = []
    for _ in range(limits.LIST_RETRIES):
        before = lister.times
        listings.unlisted("one", StartFailed("no engine"))
        await lister.asked.wait()
        lister.asked = trio.Event()
        assert lister.times == before + 1
        asked_at.append(trio.current_time() - begin)
    assert asked_at == pytest.approx([1, 3, 7, 15, 31])
    assert listings.complete(5), "nobody waits for it meanwhile"
    listings.learned("one", NOTHING)
    await trio.sleep(1)
    assert told[-1] > begin + 31
    before = lister.times
    await trio.sleep(100)
    assert lister.times == before
    nursery.cancel_scope.cancel()


async def test_lists_are_converted_once_until_they_change(tmp_path: Path) -> None:
    """Each call of a modern client at a legacy server looks into them."""
    listings = Listings(Home(tmp_path), names="auto", changed=lambda: None)
    listings.apply({"one": enabled("one")}, {"one": Asked()})
    tools = tuple(Item(name, {"execution": codec.raw({})}) for name in ("a", "b"))
    listings.learned("one", structs.replace(NOTHING, tools=tools))
    seen = listings.lists_of("one", "modern")
    assert seen is not None
    assert [item.fields for item in seen.tools] == [{}, {}]
    assert listings.lists_of("one", "modern") is seen
    listings.learned("one", NOTHING)
    changed = listings.lists_of("one", "modern")
    assert changed is not None
    assert changed.tools == ()
