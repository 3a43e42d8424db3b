"""registry.yaml, config.yaml and tools.yaml: forms, joins, faults."""

from __future__ import annotations

import pytest

from gateway.catalog.settings import (
    Registry,
    ServerConfig,
    ToolLists,
    by_server,
    join_configs,
    join_registries,
    join_tools,
    parse_config,
    parse_registry,
    parse_tools,
    split_setting,
)
from gateway.errors import CatalogError


def test_registry_forms() -> None:
    """Docker's mapping, and a plain list."""
    docker = parse_registry(b"registry:\n  a: {ref: ''}\n  b:\n  c: {config: {k: 1}}\n", source="r")
    assert docker.servers == {"a": {}, "b": {}, "c": {"k": 1}}
    assert parse_registry(b"registry: [a, b]", source="r").servers == {"a": {}, "b": {}}


def test_empty_files_are_empty_settings() -> None:
    """Nothing is enabled, nothing configured, all tools allowed."""
    assert parse_registry(b"", source="r") == Registry()
    assert parse_registry(b"registry:\n", source="r") == Registry()
    assert parse_config(b"# nothing\n", source="c") == ServerConfig()
    assert parse_tools(b"", source="t") == ToolLists()


def test_config_values_and_mounts() -> None:
    """Values are typed; `mounts` is no server."""
    config = parse_config(
        b"io_x: {n: 1, t: 'y'}\nmounts: {io.x: ['/etc', '/run:rw']}\n", source="c"
    )
    assert config.of("io.x") == {"n": 1, "t": "y"}
    assert config.mounts_of("io_x") == ("/etc", "/run:rw")
    assert config.of("other") == {}
    assert "mounts" not in config.values


def test_tools_lists() -> None:
    """Null means all, an empty list none."""
    tools = parse_tools(b"a: [x, y]\nb:\nc: []\n", source="t")
    assert tools.lists == {"a": ("x", "y"), "c": ()}


def test_broken_part_costs_only_itself() -> None:
    """It is named with its line."""
    config = parse_config(b"a: 5\nb: {k: 1}\n", source="c.yaml")
    assert config.values == {"b": {"k": 1}}
    (fault,) = config.faults
    assert (fault.name, fault.origin.line, fault.whole_file) == ("a", 1, False)
    tools = parse_tools(b"a: x\nb: [y]\n", source="t")
    assert (tools.of("a"), tools.of("b"), tools.of("c")) == ((), ("y",), None)
    assert parse_registry(b"registry: {a: {config: 5}, b: {}}", source="r").servers == {"b": {}}


def test_nobody_knows_what_a_broken_file_of_tools_would_let_through() -> None:
    """So it is none, but for what another file says; what restricts must not open by breaking."""
    tools = join_tools(
        [parse_tools(b"a: [x", source="t"), parse_tools(b"b: [y]\n", source="other")]
    )
    assert (tools.of("a"), tools.of("b")) == ((), ("y",))


def test_broken_file_is_one_fault() -> None:
    """The file is named, and nothing of it counts."""
    for parse in (parse_registry, parse_config, parse_tools):
        for content in (b"a: [", b"- a\n", b"\xff"):
            (fault,) = parse(content, source="/h/x.yaml").faults
            assert fault.whole_file
            assert fault.name == "x.yaml"
    assert parse_registry(b"registry: 5", source="r").faults[0].whole_file


def test_joins() -> None:
    """Later files win key by key; lists are replaced, mounts add up."""
    registries = [Registry({"a": {"x": 1, "y": 1}}), Registry({"a": {"x": 2}, "b": {}})]
    assert join_registries(registries).servers == {"a": {"x": 2, "y": 1}, "b": {}}
    configs = [
        ServerConfig({"a": {"d": {"x": 1, "y": 1}}}, {"a": ("/e",)}),
        ServerConfig({"a": {"d": {"x": 2}}}, {"a": ("/f",)}),
    ]
    joined = join_configs(configs)
    assert joined.values == {"a": {"d": {"x": 2, "y": 1}}}
    assert joined.mounts == {"a": ("/e", "/f")}
    assert join_tools([ToolLists({"a": ("x",)}), ToolLists({"a": ("y",)})]).lists == {"a": ("y",)}


def test_exact_spelling_beats_the_canonical_one() -> None:
    """Two servers may differ only in a dot."""
    assert by_server({"a_b": 1, "a.b": 2}, "a.b") == 2
    assert by_server({"a_b": 1}, "a.b") == 1
    assert by_server({"c": 1}, "a.b") is None


def test_settings_are_split_at_known_servers() -> None:
    """A server's name may have dots."""
    assert split_setting("a.b.c", []) == ("a", ("b", "c"))
    assert split_setting("a.b.c", ["a", "a.b"]) == ("a.b", ("c",))
    for wrong in ("a", "a.", ".b", "a..b", ""):
        with pytest.raises(CatalogError, match=r"server\.key"):
            split_setting(wrong, [])
