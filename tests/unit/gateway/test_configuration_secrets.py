"""Secrets in the configuration: their order, their faults, and what they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.catalog.model import ContainerLaunch, Snapshot
from gateway.configuration import load_secrets
from gateway.errors import SecretError
from gateway.secrets.store import SecretStore
from tests.fakes.catalogs import HomeFolder


@pytest.fixture
def furnished(tmp_path: Path) -> HomeFolder:
    """A home with one enabled server that declares a secret."""
    house = HomeFolder(tmp_path / "home")
    house.write("catalogs/mine.yaml", "registry: {a: {image: new, secrets: [{name: s, env: S}]}}")
    house.write("registry.yaml", "registry: {a: {ref: ''}}")
    return house


def launch(snapshot: Snapshot, name: str) -> ContainerLaunch:
    """The container launch of a server."""
    found = snapshot.servers[name].launch
    assert isinstance(found, ContainerLaunch)
    return found


def test_secrets_come_from_files_then_the_store_then_the_environment(
    furnished: HomeFolder, tmp_path: Path
) -> None:
    """And change the spec hash."""
    dotenv = tmp_path / "my.env"
    dotenv.write_text("s=file\n")
    without = furnished.load()
    assert launch(without, "a").env == {}
    assert "mcpgw secret set s" in " ".join(without.notes)
    assert launch(furnished.load({"S": "env"}), "a").env == {"S": "env"}
    SecretStore(furnished.root / "secrets.env").set("s", "store")
    stored = furnished.load({"S": "env"})
    assert launch(stored, "a").env == {"S": "store"}
    named = furnished.load({"S": "env"}, secrets=f"docker-desktop:/no/such:{dotenv}")
    assert launch(named, "a").env == {"S": "file"}
    assert any("/no/such does not exist" in note for note in named.notes)
    assert any("docker-desktop is skipped" in note for note in named.notes)
    hashes = {snapshot.servers["a"].spec_hash for snapshot in (without, stored, named)}
    assert len(hashes) == 3


def test_missing_sources_that_were_named_are_an_error(furnished: HomeFolder) -> None:
    """Where not one of them exists."""
    with pytest.raises(SecretError, match="none of these exists"):
        furnished.load(secrets="/no/such:/nor/this")


def test_broken_source_and_broken_store_are_faults(furnished: HomeFolder, tmp_path: Path) -> None:
    """Everything else works."""
    broken = tmp_path / "broken.env"
    broken.write_text("nonsense")
    furnished.write("secrets.env", "nonsense").chmod(0o600)
    snapshot = furnished.load(secrets=str(broken))
    assert {fault.name for fault in snapshot.faults} == {"broken.env", "secrets.env"}
    assert all(fault.whole_file for fault in snapshot.faults)
    assert "nonsense" not in " ".join(map(str, snapshot.faults))
    assert list(snapshot.servers) == ["a"]


def test_default_sources_may_be_missing(furnished: HomeFolder) -> None:
    """Most machines have no `/run/secrets`."""
    loaded = load_secrets(furnished.options(secrets=""), {})
    assert loaded.faults == ()
    assert loaded.notes == ()
