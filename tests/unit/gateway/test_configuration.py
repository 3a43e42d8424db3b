"""Everything that configures the gateway, from real files to one snapshot."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gateway.catalog import fetch as network
from gateway.catalog import sources
from gateway.catalog.fetch import Fetched
from gateway.catalog.model import ContainerLaunch, Mount, ProcessLaunch, Snapshot
from gateway.configuration import watched_paths
from gateway.errors import CatalogError
from tests.fakes.catalogs import HomeFolder, catalog_text


@pytest.fixture
def house(tmp_path: Path) -> HomeFolder:
    """A home that does not exist yet."""
    return HomeFolder(tmp_path / "home")


@pytest.fixture
def furnished(house: HomeFolder) -> HomeFolder:
    """A home with two catalogs and one enabled server."""
    house.write("catalogs/docker-mcp.yaml", "registry: {a: {image: old}, b: {image: b}}")
    house.write("catalogs/mine.yaml", "registry: {a: {image: new, secrets: [{name: s, env: S}]}}")
    house.write("registry.yaml", "registry: {a: {ref: ''}}")
    return house


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small stand-in for the built-in catalog."""
    path = tmp_path / "catalogs" / "starter.yaml"
    path.parent.mkdir()
    path.write_text(
        "registry:\n  one: {image: one, process: {command: [python3, one.py]}}\n  two: {image: two}\n"
    )
    monkeypatch.setattr(sources, "starter_path", lambda: path)
    return path


def launch(snapshot: Snapshot, name: str) -> ContainerLaunch:
    """The container launch of a server."""
    found = snapshot.servers[name].launch
    assert isinstance(found, ContainerLaunch)
    return found


# --- catalogs ---------------------------------------------------------------------------------------------------


def test_own_catalogs_override_dockers(furnished: HomeFolder) -> None:
    """With a note; the registry says what is enabled."""
    snapshot = furnished.load()
    assert list(snapshot.servers) == ["a"]
    assert list(snapshot.available) == ["a", "b"]
    assert launch(snapshot, "a").image == "new"
    assert any("overrides" in note for note in snapshot.notes)


def test_empty_home_has_the_starter_catalog(house: HomeFolder, starter: Path) -> None:
    """All of it, until a registry says otherwise."""
    assert list(house.load().servers) == ["one", "two"]
    assert list(house.load(servers=("two",)).servers) == ["two"]
    house.write("registry.yaml", "registry: {one: {}}")
    assert list(house.load().servers) == ["one"]


def test_without_an_engine_a_process_form_is_used_when_asked(
    house: HomeFolder, starter: Path
) -> None:
    """Relative paths count from the catalog; what has no such form stays a container."""
    snapshot = house.load(local_fallback=True, engine_in_reach=False)
    assert snapshot.servers["one"].launch == ProcessLaunch(
        command=("python3", "one.py"), cwd=str(starter.parent)
    )
    assert isinstance(snapshot.servers["two"].launch, ContainerLaunch)


def test_named_catalogs_replace_the_homes(furnished: HomeFolder, tmp_path: Path) -> None:
    """By path and by name; an additional one comes last."""
    other = tmp_path / "other.yaml"
    other.write_text("registry: {c: {image: c}, b: {image: b2}}")
    snapshot = furnished.load(catalogs=("docker-mcp", str(other)), enable_all_servers=True)
    assert [launch(snapshot, name).image for name in "abc"] == ["old", "b2", "c"]
    added = furnished.load(additional_catalogs=(str(other),), enable_all_servers=True)
    assert [launch(added, name).image for name in "abc"] == ["new", "b2", "c"]


def test_missing_named_file_is_an_error(furnished: HomeFolder) -> None:
    """It names the flag and the path."""
    for changes in (
        {"catalogs": ("nowhere",)},
        {"additional_catalogs": ("/no/such.yaml",)},
        {"registries": ("/no/such.yaml",)},
        {"additional_configs": ("/no/such.yaml",)},
        {"tools_configs": ("/no/such.yaml",)},
    ):
        with pytest.raises(CatalogError, match="there is no file"):
            furnished.load(**changes)
    with pytest.raises(CatalogError, match="directory"):
        furnished.load(catalogs=(str(furnished.root),))


def test_container_paths_mean_the_home(furnished: HomeFolder) -> None:
    """The flags of the container form work on a host; the home's own files may be missing."""
    snapshot = furnished.load(
        catalogs=("/mcp/catalogs/mine.yaml",),
        registries=("/mcp/registry.yaml",),
        configs=("/mcp/config.yaml",),
        tools_configs=("/mcp/tools.yaml",),
    )
    assert list(snapshot.servers) == ["a"]


def test_catalogs_from_urls_are_not_trusted(
    furnished: HomeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their process forms are ignored, and a stale copy leaves its note."""
    text = b"registry: {p: {process: {command: [evil]}}, q: {image: q, secrets: [{name: x, env: HOME}]}}"
    monkeypatch.setattr(network, "fetch", lambda _url, _folder: Fetched(text, "a copy is used"))
    snapshot = furnished.load(
        {"HOME": "/home/me"}, catalogs=("https://u:p@x.y/c.yaml?k=v",), enable_all_servers=True
    )
    assert list(snapshot.servers) == ["q"]
    assert launch(snapshot, "q").env == {}
    assert snapshot.faults[0].origin.source == "https://x.y/c.yaml"
    assert "a copy is used" in snapshot.notes


@pytest.mark.parametrize(
    "name", ["catalogs/mine.yaml", "registry.yaml", "config.yaml", "tools.yaml"]
)
def test_broken_file_of_the_home_is_a_fault(furnished: HomeFolder, name: str) -> None:
    """The other files count."""
    path = furnished.write(name, "a: [")
    snapshot = furnished.load()
    assert [(fault.origin.source, fault.whole_file) for fault in snapshot.faults] == [
        (str(path), True)
    ]
    assert "b" in snapshot.available


def test_unreadable_file_of_the_home_is_a_fault(furnished: HomeFolder) -> None:
    """A folder where a file should be."""
    (furnished.root / "config.yaml").mkdir()
    assert "cannot be read" in furnished.load().faults[0].reason


# --- settings ---------------------------------------------------------------------------------------------------


def test_config_tools_and_mounts_reach_their_server(house: HomeFolder) -> None:
    """Both spellings of a dotted name."""
    house.write(
        "catalogs/c.yaml",
        "registry: {io.x: {image: i, command: ['{{io_x.k}}'], volumes: ['/etc:/etc']}}",
    )
    house.write("registry.yaml", "registry: {io_x: {}}")
    house.write("config.yaml", "io_x: {k: v}\nmounts: {io.x: [/etc]}")
    house.write("tools.yaml", "io_x: [One]")
    server = house.load().servers["io.x"]
    assert isinstance(server.launch, ContainerLaunch)
    assert server.launch.command == ("v",)
    assert server.launch.mounts == (Mount("/etc", "/etc", read_only=True, bind=True),)
    assert server.tools == {"one"}
    assert house.load(tools=("io.x:*",)).servers["io.x"].tools is None


def test_flags_are_defaults_of_all_servers(furnished: HomeFolder) -> None:
    """Memory, processors, isolation, long life, retries."""
    server = furnished.load(
        cpus=0.5, memory_bytes=2**28, long_lived=True, isolation="call", retry=True
    ).servers["a"]
    assert isinstance(server.launch, ContainerLaunch)
    assert (server.launch.cpus, server.launch.memory_bytes) == (0.5, 2**28)
    assert (server.pooling.isolation, server.pooling.long_lived) == ("call", True)
    assert server.pooling.retry


def test_links_are_followed_only_where_the_engine_sees_them(
    house: HomeFolder, tmp_path: Path
) -> None:
    """In a container, or with an engine elsewhere, our links say nothing about its host."""
    link = tmp_path / "link"
    link.symlink_to("/etc")
    house.write("catalogs/c.yaml", f"registry: {{a: {{image: i, volumes: ['{link}:/x']}}}}")
    assert house.load(enable_all_servers=True).servers == {}
    elsewhere = house.load({"DOCKER_HOST": "tcp://10.0.0.1:2376"}, enable_all_servers=True)
    assert launch(elsewhere, "a").mounts[0].source == str(link)
    contained = house.load(in_container=True, enable_all_servers=True)
    assert launch(contained, "a").mounts[0].source == str(link)


def test_home_that_cannot_be_written_still_loads(
    furnished: HomeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a hash key of this process: a reload is no change."""
    furnished.write("run", "a file where the folder should be")
    furnished.write("cache", "the same")
    assert furnished.load() == furnished.load()
    assert furnished.load().servers["a"].spec_hash


# --- watching and speed -----------------------------------------------------------------------------------------


def test_everything_that_is_read_is_watched(furnished: HomeFolder, tmp_path: Path) -> None:
    """Files that do not exist yet, secrets, and the folder of catalogs."""
    home = furnished.root
    paths = watched_paths(furnished.options(secrets="", additional_catalogs=("https://x/y",)), {})
    assert set(paths) == {
        home / "catalogs",
        home / "registry.yaml",
        home / "config.yaml",
        home / "tools.yaml",
        home / "secrets.env",
        Path("/run/secrets"),
    }
    named = furnished.options(
        catalogs=("mine",), configs=(str(tmp_path / "c.yaml"),), secrets="/s.env"
    )
    assert watched_paths(named, {}) == (
        home / "catalogs" / "mine.yaml",
        home / "registry.yaml",
        tmp_path / "c.yaml",
        home / "tools.yaml",
        Path("/s.env"),
        home / "secrets.env",
    )
    assert Path("/.env") in watched_paths(furnished.options(secrets="", in_container=True), {})


@pytest.mark.slow
def test_large_catalog_loads_fast_and_cached_faster(house: HomeFolder) -> None:
    """As many entries as the public catalog; the second start parses nothing."""
    house.write("catalogs/large.yaml", catalog_text(328).decode())
    start = time.perf_counter()
    first = house.load(enable_all_servers=True)
    cold = time.perf_counter() - start
    start = time.perf_counter()
    again = house.load(enable_all_servers=True)
    warm = time.perf_counter() - start
    print(f"328 entries: {cold * 1000:.0f} ms parsed, {warm * 1000:.0f} ms from the cache")
    assert len(first.servers) == 328
    assert first == again
    assert cold < 3.0
    assert warm < cold


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else and back")
def test_home_that_may_not_be_read_is_a_fault_not_a_crash(furnished: HomeFolder) -> None:
    """Started by the wrong user: each file is named, and a named one is an error of ours."""
    furnished.load()  # whatever is imported lazily is imported while we may read it
    furnished.root.chmod(0)
    os.seteuid(65534)
    try:
        faults = furnished.load().faults
        with pytest.raises(CatalogError):
            furnished.load(catalogs=(str(furnished.root / "catalogs" / "mine.yaml"),))
    finally:
        os.seteuid(0)
        furnished.root.chmod(0o755)
    assert {"registry.yaml", "config.yaml", "tools.yaml", "secrets.env"} <= {
        fault.name for fault in faults
    }
    assert all("ermission denied" in fault.reason for fault in faults if fault.whole_file)
