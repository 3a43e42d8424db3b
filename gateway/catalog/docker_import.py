"""Takes over what newer Docker installations keep in a database: servers, config, tool lists, catalogs.

Reads `mcp-toolkit.db` (never writes to it, nor beside it) and writes the plain files of a home. Must not know where
secrets are kept: it is told which names have a value.

Source: docker/mcp-gateway, pkg/db migrations and pkg/workingset.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway.catalog.document import write_document
from gateway.catalog.model import Origin, ServerEntry
from gateway.catalog.parse import parse_entry
from gateway.catalog.server_config import canonical
from gateway.errors import CatalogError
from gateway.home import Home, write_atomic

DATABASE: Final = "mcp-toolkit.db"
_DEFAULT_PROFILE: Final = "default"
_DOCKER_CATALOG: Final = "docker-mcp-catalog"
_SLUG: Final = re.compile(r"[^A-Za-z0-9._-]+")
_VERSION: Final = 3


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did.

    `missing_secrets` are declared by enabled servers and have no value yet; `notes` are sentences for a person.
    """

    profile: str
    servers: tuple[str, ...]
    written: tuple[Path, ...]
    missing_secrets: tuple[str, ...]
    notes: tuple[str, ...] = ()


class _Profile(msgspec.Struct, frozen=True):
    """A profile (`working_set`) as the database has it."""

    id: str
    servers: list[dict[str, Any]]


class _Plan(msgspec.Struct):
    """The files to be, and what was learned on the way."""

    catalogs: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    registry: dict[str, Any] = msgspec.field(default_factory=dict)
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    tools: dict[str, Any] = msgspec.field(default_factory=dict)
    entries: list[ServerEntry] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)


def import_docker(
    home: Home,
    database: Path,
    *,
    profile: str | None = None,
    known_secrets: Collection[str] = (),
    force: bool = False,
) -> ImportReport:
    """Writes catalogs, registry.yaml, config.yaml and tools.yaml of a home from Docker's database.

    Args:
        home: where to write.
        database: `mcp-toolkit.db`.
        profile: which profile to enable; without it "default", or the only one.
        known_secrets: names that have a value already.
        force: whether existing files may be replaced.

    Raises:
        CatalogError: the database is not there or not readable, the profile is not in it, or files are in the way.
    """
    profiles, catalogs = _read(database)
    chosen = _choose(profiles, profile)
    plan = _Plan()
    for name, entries in catalogs.items():
        plan.catalogs[name] = entries
    for server in chosen.servers if chosen else []:
        _plan_server(plan, server, f"profile-{_slug(chosen.id)}" if chosen else "")
    written = _write(home, plan, force=force)
    declared = {use.name: None for entry in plan.entries for use in entry.secrets}
    return ImportReport(
        profile=chosen.id if chosen else "",
        servers=tuple(plan.registry),
        written=written,
        missing_secrets=tuple(name for name in declared if name not in known_secrets),
        notes=tuple(plan.notes),
    )


# --- reading ----------------------------------------------------------------------------------------------------


def _read(database: Path) -> tuple[list[_Profile], dict[str, dict[str, Any]]]:
    """All profiles, and all catalogs as tables of entries by catalog name."""
    if not database.is_file():
        raise CatalogError(
            f"{database}: there is no such database; the plain files of an older Docker need no import"
        )
    try:
        with _opened(database) as rows:
            return _profiles(rows), _catalogs(rows)
    except (sqlite3.Error, OSError) as error:
        raise CatalogError(f"{database}: cannot be read: {error}") from error
    except (msgspec.MsgspecError, TypeError) as error:
        raise CatalogError(f"{database}: has a form that is not known here: {error}") from error


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    """The database, read only. `immutable` keeps SQLite from leaving locks or journals beside it.

    Changes that still lie in a write-ahead log are only seen in a copy.
    """
    log = database.with_name(database.name + "-wal")
    with tempfile.TemporaryDirectory(prefix="mcpgw-import-") as folder:
        mode = "mode=ro&immutable=1"
        if log.is_file() and log.stat().st_size:
            copy = Path(folder) / database.name
            shutil.copyfile(database, copy)
            shutil.copyfile(log, copy.with_name(log.name))
            database, mode = copy, "mode=rw"
        address = f"file:{quote(str(database.absolute()))}?{mode}"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection


def _profiles(rows: sqlite3.Connection) -> list[_Profile]:
    found = rows.execute("SELECT id, servers FROM working_set ORDER BY id")
    return [_Profile(row["id"], msgspec.json.decode(row["servers"] or "[]")) for row in found]


def _catalogs(rows: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Entries by name, by the file name that their catalog gets."""
    catalogs: dict[str, dict[str, Any]] = {}
    for row in rows.execute("SELECT * FROM catalog_server ORDER BY catalog_ref, rowid"):
        columns = dict(zip(row.keys(), row, strict=True))
        for column in ("snapshot", "tools"):
            columns[column] = msgspec.json.decode(columns.get(column) or "null")
        columns["type"] = columns.get("server_type")
        if entry := _entry(columns):
            catalogs.setdefault(_catalog_name(row["catalog_ref"]), {})[entry["name"]] = entry
    return catalogs


def _choose(profiles: list[_Profile], wanted: str | None) -> _Profile | None:
    """The profile to enable; None where the database has none at all."""
    by_id = {profile.id: profile for profile in profiles}
    if wanted is None and not profiles:
        return None
    if wanted is None and len(profiles) == 1:
        return profiles[0]
    name = wanted or _DEFAULT_PROFILE
    if name not in by_id:
        raise CatalogError(
            f"there is no profile {name!r}; name one of {', '.join(by_id) or 'none'} with --profile"
        )
    return by_id[name]


# --- planning ---------------------------------------------------------------------------------------------------


def _plan_server(plan: _Plan, server: Mapping[str, Any], catalog: str) -> None:
    """Adds one server of the profile to all files."""
    body = _entry(server)
    if body is None:
        kind = server.get("type", "entry")
        plan.notes.append(
            f"a server of type {kind!r} has neither snapshot nor image nor address: skipped"
        )
        return
    name = body["name"]
    try:
        plan.entries.append(parse_entry(name, body, Origin(catalog)))
    except CatalogError as error:
        plan.notes.append(f"{name}: {error}")
    plan.catalogs.setdefault(catalog, {})[name] = body
    plan.registry[name] = {"ref": ""}
    if server.get("config"):
        plan.config[canonical(name)] = server["config"]
    if server.get("tools") is not None:
        plan.tools[name] = server["tools"]


def _entry(server: Mapping[str, Any]) -> dict[str, Any] | None:
    """The catalog entry of a server: its snapshot, else what its image or address says."""
    snapshot = server.get("snapshot")
    body = snapshot.get("server", snapshot) if isinstance(snapshot, dict) else {}
    if isinstance(body, dict) and isinstance(body.get("name"), str) and body["name"]:
        return {**body}
    if image := server.get("image"):
        return {
            "name": _slug(image.rpartition("/")[2].partition("@")[0].partition(":")[0]),
            "image": image,
        }
    if endpoint := server.get("endpoint"):
        host = endpoint.partition("://")[2].partition("/")[0]
        return {
            "name": _slug(host),
            "remote": {"url": endpoint, "transport_type": "streamable-http"},
        }
    return None


def _catalog_name(reference: str) -> str:
    """A file name for a catalog reference such as `mcp/docker-mcp-catalog:latest`."""
    last = reference.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return "docker-mcp" if last == _DOCKER_CATALOG else _slug(last) or "catalog"


def _slug(text: str) -> str:
    return _SLUG.sub("-", text).strip("-.")


# --- writing ----------------------------------------------------------------------------------------------------


def _write(home: Home, plan: _Plan, *, force: bool) -> tuple[Path, ...]:
    """Writes all files or, where one is in the way, none."""
    files: dict[Path, object] = {
        home.catalogs / f"{name}.yaml": {
            "version": _VERSION,
            "name": name,
            "displayName": name,
            "registry": entries,
        }
        for name, entries in plan.catalogs.items()
    }
    files[home.registry] = {"registry": plan.registry}
    files |= {home.config: plan.config} if plan.config else {}
    files |= {home.tools: plan.tools} if plan.tools else {}
    in_the_way = [str(path) for path in files if path.exists()]
    if in_the_way and not force:
        raise CatalogError(f"{', '.join(in_the_way)}: would be overwritten; say --force to do so")
    try:
        for path, content in files.items():
            write_atomic(path, write_document(content))
    except OSError as error:
        raise CatalogError(f"{home.root}: cannot be written: {error.strerror}") from error
    return tuple(files)
