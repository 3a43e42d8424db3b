"""Lists of servers that never end, or never come: what can be used is, in bounded time."""

from __future__ import annotations

from itertools import count

import pytest
import trio
from trio.testing import MockClock

from actors.greeting import greet
from actors.list_reading import read_lists
from actors.upstream import Upstream
from actors.upstream_listener import Listener
from gateway import limits
from gateway.errors import ProtocolFault, TooSlow
from gateway.jsonrpc.messages import Message, Request, Result
from gateway.mcp.listing import ServerLists
from tests.fakes.server import FakeServer, Script, raw, tool


async def read(nursery: trio.Nursery, pages: Script) -> tuple[ServerLists, FakeServer]:
    """What is read of a server that answers `tools/list` so."""
    server = FakeServer()
    server.scripts["tools/list"] = pages
    upstream = Upstream(server, server="fake", listener=Listener())
    nursery.start_soon(upstream.run)
    await greet(upstream, within_s=1)
    return await read_lists(upstream), server


def page(request: Request, *names: str, following: str | None) -> Message:
    """One page of tools."""
    return Result(
        request.id, raw({"tools": [tool(name) for name in names], "nextCursor": following})
    )


async def test_a_cursor_that_comes_again_ends_the_list(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The server leads in circles."""
    lists, server = await read(nursery, lambda request: page(request, "a", following="again"))
    assert len(server.requests("tools/list")) == 2
    assert {item.key for item in lists.tools} == {"a"}


@pytest.mark.refuses("from_servers.MAX_LIST_PAGES", "from_servers.MAX_LIST_ITEMS")
async def test_pages_without_end_are_cut_and_told(
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By their number, and by the number of their items."""
    monkeypatch.setattr(limits, "MAX_LIST_PAGES", 7)
    serial = count()

    def endless(request: Request) -> Message:
        number = str(next(serial))
        return page(request, f"t{number}", following=number)

    lists, _ = await read(nursery, endless)
    assert len(lists.tools) == 7
    monkeypatch.setattr(limits, "MAX_LIST_ITEMS", 3)
    lists, _ = await read(nursery, endless)
    assert len(lists.tools) == 3
    assert "list_item_skipped" in caplog.text


@pytest.mark.refuses("from_servers.MAX_LIST_BYTES")
async def test_pages_of_many_bytes_are_cut(
    nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few items may fill the memory as well."""
    monkeypatch.setattr(limits, "MAX_LIST_BYTES", 10)
    lists, server = await read(nursery, lambda request: page(request, "a", following="more"))
    assert len(server.requests("tools/list")) == 1
    assert {item.key for item in lists.tools} == {"a"}


async def test_faults_of_many_items_are_counted(
    nursery: trio.Nursery, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each would be a flood."""
    await read(nursery, lambda request: Result(request.id, raw({"tools": [1] * 5000})))
    assert len(caplog.records) == limits.MAX_LIST_COMPLAINTS + 1


async def test_pages_that_drip_are_not_waited_for(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Each in time, all together never."""
    server = FakeServer(held=frozenset({"tools/list"}))
    upstream = Upstream(server, server="fake", listener=Listener())
    nursery.start_soon(upstream.run)
    await greet(upstream, within_s=1)

    async def drip() -> None:
        for number in count():
            await trio.sleep(limits.LIST_TIMEOUT_S / 2)
            server.answer(
                server.requests("tools/list")[-1], {"tools": [], "nextCursor": str(number)}
            )

    nursery.start_soon(drip)
    with pytest.raises(TooSlow, match="all of its lists"):
        await read_lists(upstream)
    nursery.cancel_scope.cancel()


async def test_a_list_of_nonsense_is_a_fault(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It names the server's mistake."""
    with pytest.raises(ProtocolFault, match="without a list"):
        await read(nursery, lambda request: Result(request.id, raw({"tools": {}})))
