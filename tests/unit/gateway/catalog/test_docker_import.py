"""Docker's database to plain files; the database stays untouched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog.docker_import import ImportReport, import_docker
from gateway.configuration import load_snapshot
from gateway.errors import CatalogError
from gateway.home import Home
from gateway.options import GatewayOptions

TABLES = """
CREATE TABLE working_set (id TEXT PRIMARY KEY, name TEXT, servers TEXT, secrets TEXT);
CREATE TABLE catalog (ref TEXT, digest TEXT, title TEXT, source TEXT, last_updated TEXT);
CREATE TABLE catalog_server (server_type TEXT, tools TEXT, source TEXT, image TEXT, endpoint TEXT,
                             snapshot TEXT, catalog_ref TEXT);
"""
CLOCK = {"name": "clock", "image": "mcp/time", "secrets": [{"name": "clock.key", "env": "KEY"}]}
DOTTED = {"name": "io.x", "image": "x", "command": ["{{io_x.a}}"]}
SERVERS: list[dict[str, Any]] = [
    {"type": "image", "image": "mcp/time", "snapshot": {"server": CLOCK}, "tools": ["now"]},
    {
        "type": "registry",
        "source": "r",
        "snapshot": {"server": DOTTED},
        "config": {"a": 1},
        "tools": None,
    },
    {"type": "image", "image": "ghcr.io/o/bare:1@sha256:00"},
    {"type": "remote", "endpoint": "https://mcp.example.com/mcp"},
    {"type": "registry", "source": "nothing known"},
]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A database with one profile and one catalog."""
    path = tmp_path / "docker" / "mcp-toolkit.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as rows:
        rows.executescript(TABLES)
        add_profile(rows, "default", SERVERS)
        rows.execute(
            "INSERT INTO catalog_server (server_type, image, snapshot, catalog_ref) VALUES (?, ?, ?, ?)",
            ("image", "mcp/time", json.dumps({"server": CLOCK}), "mcp/docker-mcp-catalog:latest"),
        )
        rows.commit()
    path.chmod(0o400)
    yield path
    assert [file.name for file in path.parent.iterdir() if not file.name.endswith("-wal")] == [
        path.name
    ]


def add_profile(rows: sqlite3.Connection, name: str, servers: list[dict[str, Any]]) -> None:
    """Adds a profile."""
    rows.execute(
        "INSERT INTO working_set VALUES (?, ?, ?, '{}')", (name, name, json.dumps(servers))
    )


def run(database: Path, home: Path, **options: Any) -> ImportReport:
    """Imports into a home."""
    return import_docker(Home(home), database, **options)


def test_import_gives_a_working_home(database: Path, tmp_path: Path) -> None:
    """Servers, config, tool lists and catalogs; missing secrets are named."""
    report = run(database, tmp_path / "home")
    assert report.profile == "default"
    assert report.servers == ("clock", "io.x", "bare", "mcp.example.com")
    assert report.missing_secrets == ("clock.key",)
    assert len(report.notes) == 1
    assert [path.name for path in report.written] == [
        "docker-mcp.yaml",
        "profile-default.yaml",
        "registry.yaml",
        "config.yaml",
        "tools.yaml",
    ]
    snapshot = load_snapshot(
        GatewayOptions(home=str(tmp_path / "home"), secrets="docker-desktop"), {}
    )
    assert set(snapshot.servers) == set(report.servers)
    assert snapshot.faults == ()
    assert snapshot.servers["clock"].tools == {"now"}
    assert snapshot.servers["io.x"].launch.command == ("1",)  # type: ignore[union-attr]  # a container


def test_known_secrets_are_not_missing(database: Path, tmp_path: Path) -> None:
    """Whoever keeps them says so."""
    assert run(database, tmp_path / "h", known_secrets=["clock.key"]).missing_secrets == ()


def test_existing_files_are_kept_unless_forced(database: Path, tmp_path: Path) -> None:
    """All or nothing."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "registry.yaml").write_text("registry: {mine: {}}")
    with pytest.raises(CatalogError, match="--force"):
        run(database, home)
    assert not (home / "catalogs").exists()
    run(database, home, force=True)
    assert "clock" in (home / "registry.yaml").read_text()


def test_profile_is_chosen_by_name(database: Path, tmp_path: Path) -> None:
    """Of several without a default one, none is guessed."""
    database.chmod(0o600)
    with closing(sqlite3.connect(database)) as rows:
        add_profile(rows, "work", SERVERS[:1])
        rows.commit()
    assert run(database, tmp_path / "a", profile="work").servers == ("clock",)
    with pytest.raises(CatalogError, match="default, work"):
        run(database, tmp_path / "b", profile="play")


def test_changes_in_a_write_ahead_log_are_seen(database: Path, tmp_path: Path) -> None:
    """Docker may be running, its last changes not yet in the main file."""
    database.chmod(0o600)
    with closing(sqlite3.connect(database)) as rows:
        rows.execute("PRAGMA journal_mode=WAL")
        rows.execute("DELETE FROM working_set")
        add_profile(rows, "only", SERVERS[:1])
        rows.commit()
        before = sorted((file.name, file.read_bytes()) for file in database.parent.iterdir())
        assert run(database, tmp_path / "h").profile == "only"
        assert (
            sorted((file.name, file.read_bytes()) for file in database.parent.iterdir()) == before
        )


@pytest.mark.parametrize(
    "content", [None, b"not a database at all, but long enough to be one", b""]
)
def test_unusable_database_is_told(tmp_path: Path, content: bytes | None) -> None:
    """Missing, not SQLite, or without the tables."""
    path = tmp_path / "mcp-toolkit.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CatalogError, match=r"mcp-toolkit\.db"):
        run(path, tmp_path / "h")


def test_unknown_form_is_told(database: Path, tmp_path: Path) -> None:
    """A column that is no JSON."""
    database.chmod(0o600)
    with closing(sqlite3.connect(database)) as rows:
        rows.execute("UPDATE working_set SET servers = 'nonsense'")
        rows.commit()
    with pytest.raises(CatalogError, match="form that is not known"):
        run(database, tmp_path / "h")
