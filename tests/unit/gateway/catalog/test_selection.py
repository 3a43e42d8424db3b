"""Which catalogs win, which servers are enabled, which tools are let through."""

from __future__ import annotations

import pytest

from gateway.catalog.merge import merge_catalogs
from gateway.catalog.model import Origin, ParsedCatalog, ServerEntry
from gateway.catalog.selection import Selection, allowed_tools, select_servers
from gateway.catalog.settings import Registry, ToolLists


def server(name: str, image: str = "mcp/x:1@sha256:00", source: str = "one") -> ServerEntry:
    """A minimal entry."""
    return ServerEntry(name, Origin(source), image=image)


ENTRIES = {name: server(name) for name in ("clock", "dice", "io.x")}


def names(selection: Selection) -> list[str]:
    """The enabled servers."""
    return [entry.name for entry in select_servers(ENTRIES, frozenset(), selection).entries]


def test_later_catalog_wins_with_a_note() -> None:
    """The place in the order is the first one's."""
    merged = merge_catalogs(
        [
            ParsedCatalog(name="one", entries=(server("a"), server("b"))),
            ParsedCatalog(name="two", entries=(server("a", "new", "two"),)),
        ]
    )
    assert list(merged.entries) == ["a", "b"]
    assert merged.entries["a"].image == "new"
    assert merged.notes == ("a: two overrides one",)


def test_selection_rules() -> None:
    """`--servers` beats everything, which beats the registry; catalog order stays."""
    registry = Registry({"dice": {}, "clock": {}})
    assert names(Selection(registry=registry)) == ["clock", "dice"]
    assert names(Selection(registry=registry, everything=True)) == ["clock", "dice", "io.x"]
    assert names(Selection(registry=registry, everything=True, servers=("dice",))) == ["dice"]
    assert names(Selection(servers=("io_x",))) == ["io.x"]
    assert names(Selection()) == []


def test_unknown_server_of_the_command_line_is_a_fault_with_a_suggestion() -> None:
    """In the registry it is only a note; a broken entry has its fault already."""
    selected = select_servers(ENTRIES, frozenset(), Selection(servers=("dise", "clock")))
    assert [entry.name for entry in selected.entries] == ["clock"]
    assert selected.faults[0].name == "dise"
    assert "did you mean dice?" in selected.faults[0].reason
    noted = select_servers(ENTRIES, frozenset(), Selection(registry=Registry({"zzz": {}})))
    assert noted.faults == ()
    assert noted.notes == ("zzz: enabled, but no catalog has a server of that name",)
    broken = select_servers(ENTRIES, frozenset({"bad"}), Selection(servers=("bad",)))
    assert broken.faults == ()


def test_nothing_enabled_is_said() -> None:
    """A registry that is empty, or not there, is mostly an oversight."""
    assert "mcpgw server enable" in select_servers(ENTRIES, frozenset(), Selection()).notes[0]
    assert select_servers({}, frozenset(), Selection()).notes == ()


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [
        ((), None),
        (("*",), None),
        (("roll",), {"roll"}),
        (("dice:roll", "clock:now"), {"roll"}),
        (("dice:*", "x"), None),
        (("DICE:Roll",), {"roll"}),
        (("clock:*",), set()),
        (("mcp/x:roll",), {"roll"}),
        (("mcp/x:1@sha256:00:roll",), {"roll"}),
        (("mcp/x:*",), None),
        ((":roll",), set()),
    ],
)
def test_tools_flag(flags: tuple[str, ...], allowed: set[str] | None) -> None:
    """`*`, tool, server:tool, server:*, image:tool, in any letter case."""
    assert allowed_tools(ENTRIES["dice"], Selection(tools=flags)) == allowed


def test_tools_file_counts_where_no_flag_does() -> None:
    """Both spellings of a server are found; an empty list lets nothing through."""
    lists = ToolLists({"io_x": ("A",), "dice": ()})
    assert allowed_tools(ENTRIES["io.x"], Selection(tool_lists=lists)) == {"a"}
    assert allowed_tools(ENTRIES["dice"], Selection(tool_lists=lists)) == set()
    assert allowed_tools(ENTRIES["clock"], Selection(tool_lists=lists)) is None
    assert allowed_tools(ENTRIES["dice"], Selection(tool_lists=lists, tools=("*",))) is None
