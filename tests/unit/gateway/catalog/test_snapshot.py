"""Snapshots: defaults, faults, hashes, differences."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import limits
from gateway.catalog.launch import Surroundings
from gateway.catalog.model import Pooling, Snapshot
from gateway.catalog.parse import parse_catalog
from gateway.catalog.selection import Selection
from gateway.catalog.settings import Registry, ServerConfig, ToolLists
from gateway.catalog.snapshot import (
    Ingredients,
    PoolDefaults,
    SnapshotDiff,
    build_snapshot,
    diff_snapshots,
)

BASE = """
registry:
  a: {image: a, command: ['{{a.x}}'], secrets: [{name: s, env: S}]}
  b: {image: b}
"""


def build(
    text: str = BASE, *, secret: str | None = "v", key: bytes = b"k" * 32, **changes: Any
) -> Snapshot:
    """A snapshot of one catalog with everything enabled."""
    given: dict[str, Any] = {"selection": Selection(everything=True), **changes}
    return build_snapshot(
        Ingredients(
            catalogs=(parse_catalog(text.encode(), source="c.yaml", trusted=True),),
            around=Surroundings(
                secret=lambda _use, _origin: secret, memory_bytes=2**30, cpus=1.0, pids=9
            ),
            key=key,
            **given,
        )
    )


def test_pool_defaults_are_filled_in() -> None:
    """From limits, from the command line, from the entry, in rising order."""
    assert build().servers["b"].pooling == Pooling(
        isolation="session",
        warm=limits.POOL_WARM,
        max=limits.POOL_MAX,
        idle_s=limits.POOL_IDLE_S,
        max_inflight=limits.POOL_MAX_INFLIGHT,
        timeout_s=limits.CALL_TIMEOUT_S,
        init_timeout_s=limits.INITIALIZE_TIMEOUT_S,
        long_lived=False,
    )
    flags = PoolDefaults(isolation="call", long_lived=True, retry=True)
    own = "registry: {a: {image: a, pool: {isolation: shared, warm: 0, idle_s: 0, retry: false}}, b: {image: b}}"
    servers = build(own, pool=flags).servers
    assert (servers["a"].pooling.isolation, servers["a"].pooling.idle_s) == ("shared", 0.0)
    assert servers["a"].pooling.long_lived
    assert servers["b"].pooling.isolation == "call"
    assert (servers["a"].pooling.retry, servers["b"].pooling.retry) == (False, True)
    assert build("registry: {a: {image: a, pool: {retry: true}}}").servers["a"].pooling.retry


def test_entry_that_cannot_be_launched_is_a_fault_and_stays_available() -> None:
    """Its neighbours run."""
    snapshot = build("registry: {a: {image: a, volumes: ['/etc:/e']}, b: {image: b}}")
    assert list(snapshot.servers) == ["b"]
    assert list(snapshot.available) == ["a", "b"]
    assert [fault.name for fault in snapshot.faults] == ["a"]


def test_registry_config_lies_under_config_yaml() -> None:
    """Older registries hold config values, too."""
    selection = Selection(registry=Registry({"a": {"x": "registry"}}))
    assert build(selection=selection).servers["a"].launch.command == ("registry",)  # type: ignore[union-attr]  # a container
    snapshot = build(selection=selection, config=ServerConfig({"a": {"x": "config"}}))
    assert snapshot.servers["a"].launch.command == ("config",)  # type: ignore[union-attr]  # a container


def test_equal_ingredients_give_equal_snapshots() -> None:
    """A reload without a change is no change."""
    assert build() == build()
    assert not diff_snapshots(build(), build())


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "other"},
        {"secret": None},
        {"config": ServerConfig({"a": {"x": 1}})},
        {"text": BASE.replace("image: a,", "image: a2,")},
        {"text": BASE.replace("image: a,", "image: a, disableNetwork: true,")},
    ],
)
def test_whatever_changes_the_launch_changes_both_hashes(change: dict[str, Any]) -> None:
    """Config and secret values included; the neighbour keeps its containers."""
    old, new = build(), build(**change)
    assert diff_snapshots(old, new) == SnapshotDiff(changed=("a",))
    assert old.servers["a"].list_key != new.servers["a"].list_key


def test_pooling_changes_the_spec_but_not_the_lists() -> None:
    """Lists depend on what runs, not on how many."""
    new = build(BASE.replace("image: a,", "image: a, pool: {max: 3},"))
    assert diff_snapshots(build(), new) == SnapshotDiff(changed=("a",))
    assert new.servers["a"].list_key == build().servers["a"].list_key


def test_what_people_read_changes_nothing() -> None:
    """A new description restarts no container."""
    assert not diff_snapshots(build(), build(BASE.replace("image: a,", "image: a, title: T,")))


def test_tool_lists_and_prefix_only_relist() -> None:
    """Running containers stay valid."""
    tools = Selection(everything=True, tool_lists=ToolLists({"a": ("X",)}))
    assert diff_snapshots(build(), build(selection=tools)) == SnapshotDiff(relisted=("a",))
    assert build(selection=tools).servers["a"].allows_tool("x")
    assert not build(selection=tools).servers["a"].allows_tool("y")
    prefixed = build(BASE.replace("image: b", "image: b, prefix: p"))
    assert diff_snapshots(build(), prefixed) == SnapshotDiff(relisted=("b",))


def test_added_and_removed() -> None:
    """By name, in catalog order."""
    new = build("registry: {c: {image: c}, b: {image: b}}")
    assert diff_snapshots(build(), new) == SnapshotDiff(added=("c",), removed=("a",))


def test_hashes_need_the_key_and_the_name() -> None:
    """Nobody can search for a secret, and no two servers share a container."""
    assert build().servers["a"].spec_hash != build(key=b"x" * 32).servers["a"].spec_hash
    twins = build("registry: {a: {image: i}, b: {image: i}}").servers
    assert twins["a"].spec_hash != twins["b"].spec_hash
    assert "v" not in (build().servers["a"].spec_hash, build().servers["a"].list_key)
