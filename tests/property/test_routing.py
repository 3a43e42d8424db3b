"""Whatever servers list, each item is shown once and leads to its server."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import routing
from gateway.mcp.listing import Item, ServerLists
from gateway.mcp.naming import NameMode
from gateway.ports import Route
from gateway.routing import Offering, build_directory


def tools(names: list[str]) -> tuple[Item, ...]:
    """Tools of these names."""
    return tuple(Item(name, {"name": msgspec.Raw(msgspec.json.encode(name))}) for name in names)


_names = st.text("ab_.", max_size=3) | st.text(min_size=1)
_listings = st.lists(st.lists(_names, max_size=5), max_size=4)


@given(_listings, st.sampled_from(["auto", "prefix"]), st.integers(1, 4))
def test_following_the_pages_shows_every_tool_once_and_each_leads_home(
    listings: list[list[str]], mode: NameMode, size: int
) -> None:
    """However long a page is."""
    servers = [
        Offering(
            server=f"s{position}",
            lists=ServerLists(
                version="2025-11-25",
                capabilities={},
                server_info=msgspec.Raw(b"{}"),
                tools=tools(names),
            ),
        )
        for position, names in enumerate(listings)
    ]
    directory = build_directory(servers, names=mode)
    shown: list[str] = []
    cursor = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "LIST_PAGE_ITEMS", size)
        while True:
            page = json.loads(bytes(directory.page("tools", cursor)))
            shown += [tool["name"] for tool in page["tools"]]
            cursor = page.get("nextCursor")
            if cursor is None:
                break
    routes = [directory.tool(name) for name in shown]
    assert len(set(shown)) == len(shown)
    assert sorted((route.server, route.name) for route in routes) == sorted(
        {(f"s{position}", name) for position, names in enumerate(listings) for name in names}
    )
    assert all(isinstance(route, Route) for route in routes)
