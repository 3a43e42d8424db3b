"""gateway/catalog/launch_checks.py: who may share a network. The other checks are tested with what they check."""

from __future__ import annotations

import pytest

from gateway.catalog.launch import Surroundings, prepare
from gateway.catalog.model import ContainerLaunch, Launch, ServerEntry
from gateway.catalog.parse import parse_catalog
from gateway.errors import CatalogError


def entry(body: str) -> ServerEntry:
    """One entry in YAML flow style."""
    parsed = parse_catalog(f"registry: {{s: {body}}}".encode(), source="c.yaml", trusted=True)
    assert parsed.faults == ()
    return parsed.entries[0]


def launch(body: str) -> Launch:
    """An entry's launch."""
    around = Surroundings(secret=lambda *_: None, memory_bytes=10**8, cpus=1.0, pids=9)
    return prepare(entry(body), {}, around).launch


@pytest.mark.parametrize(
    ("pool", "shared"),
    [("{}", False), ("{shared_network: false}", False), ("{shared_network: true}", True)],
)
def test_a_shared_network_is_asked_for_by_the_entry(pool: str, *, shared: bool) -> None:
    """Nobody has one who has not asked for it. Capabilities that reach no network do not matter."""
    made = launch(f"{{image: a, caps: [CHOWN], disableNetwork: true, pool: {pool}}}")
    assert isinstance(made, ContainerLaunch)
    assert (made.shared_network, made.disable_network) == (shared, True)


@pytest.mark.parametrize("cap", ["NET_RAW", "cap_net_admin", "SYS_ADMIN", "all"])
def test_not_with_capabilities_that_reach_all_of_it(cap: str) -> None:
    """The refusal names the capability, and what to do."""
    name = cap.upper().removeprefix("CAP_")
    with pytest.raises(CatalogError, match=f"capability {name}, .*leave out one of the two"):
        launch(f"{{image: a, caps: [{cap}], pool: {{shared_network: true}}}}")
    assert launch(f"{{image: a, caps: [{cap}]}}")


@pytest.mark.parametrize(
    "body",
    [
        "remote: {url: 'https://far.example/mcp'}",
        "process: {command: [serve]}",
        "tools: [{name: t, description: d, container: {image: a}}]",
    ],
)
def test_not_without_a_container_that_lives(body: str) -> None:
    """What has no network of ours cannot share it, and one-shot containers are nobody's neighbours."""
    with pytest.raises(CatalogError, match="for servers that run as containers"):
        launch(f"{{{body}, pool: {{shared_network: true}}}}")
    assert launch(f"{{{body}}}")


def test_a_server_that_falls_back_to_a_process() -> None:
    """Its container form is what the entry speaks of; the process has the machine's network."""
    body = "{image: a, process: {command: [serve]}, pool: {shared_network: true}}"
    around = Surroundings(
        secret=lambda *_: None,
        memory_bytes=10**8,
        cpus=1.0,
        pids=9,
        engine_in_reach=False,
        local_fallback=True,
    )
    assert not isinstance(prepare(entry(body), {}, around).launch, ContainerLaunch)
