"""Reads registry.yaml, config.yaml and tools.yaml. Must not touch files.

Tolerant: a server may be spelled with dots or, as Docker's gateway writes it, with underscores for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final, TypeVar

import msgspec

from gateway.catalog import fields as get
from gateway.catalog.document import DocumentError, Table, plain_value, read_document
from gateway.catalog.model import EntryFault, Origin
from gateway.catalog.server_config import canonical, overlay
from gateway.errors import CatalogError

MOUNTS_KEY: Final = "mounts"
"""The one key of config.yaml that is no server: host paths that servers may bind although they are guarded."""


class Registry(msgspec.Struct, frozen=True):
    """The enabled servers in order, each with the config that the registry itself gives it (mostly none)."""

    servers: Mapping[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    faults: tuple[EntryFault, ...] = ()


class ServerConfig(msgspec.Struct, frozen=True):
    """Config values and allowed mounts by server, as the file spells the server."""

    values: Mapping[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    mounts: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    faults: tuple[EntryFault, ...] = ()

    def of(self, server: str) -> dict[str, Any]:
        """The values of one server."""
        return by_server(self.values, server) or {}

    def mounts_of(self, server: str) -> tuple[str, ...]:
        """The guarded paths that one server may bind."""
        return by_server(self.mounts, server) or ()


class ToolLists(msgspec.Struct, frozen=True):
    """Tool allow-lists by server, as the file spells the server."""

    lists: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    faults: tuple[EntryFault, ...] = ()

    def of(self, server: str) -> tuple[str, ...] | None:
        """The tools of a server that are let through, None for all. Nobody knows what a broken file would let through: none."""
        listed = by_server(self.lists, server)
        return () if listed is None and any(fault.whole_file for fault in self.faults) else listed


_Settings = TypeVar("_Settings", Registry, ServerConfig, ToolLists)
_V = TypeVar("_V")


def by_server(table: Mapping[str, _V], server: str) -> _V | None:
    """What a table says of a server, whichever way its name is spelled."""
    if server in table:
        return table[server]
    wanted = canonical(server)
    return next((value for name, value in table.items() if canonical(name) == wanted), None)


def parse_registry(content: bytes, *, source: str) -> Registry:
    """`registry: {server: {ref, config}}`; a plain list of names is understood, too."""

    def read(document: Table, faults: list[EntryFault]) -> Registry:
        given = document.get("registry")
        if isinstance(given, list):
            return Registry({name: {} for name in get.texts(document, "registry")})
        servers: dict[str, dict[str, Any]] = {}
        for name, value in get.table(document, "registry").items():
            body = value if isinstance(value, dict) else {}
            with _Naming(faults, name, source, given):
                servers[name] = plain_value(get.table(body, "config"))
        return Registry(servers, tuple(faults))

    return _parse(content, source, Registry, read)


def parse_config(content: bytes, *, source: str) -> ServerConfig:
    """`<server>: {key: value}` and `mounts: {<server>: ["/path[:rw]"]}`."""

    def read(document: Table, faults: list[EntryFault]) -> ServerConfig:
        values: dict[str, dict[str, Any]] = {}
        mounts: dict[str, tuple[str, ...]] = {}
        for name in document:
            with _Naming(faults, name, source, document):
                if name != MOUNTS_KEY:
                    values[name] = plain_value(get.table(document, name))
                    continue
                lines = get.table(document, name)
                mounts = {server: get.texts(lines, server) for server in lines}
        return ServerConfig(values, mounts, tuple(faults))

    return _parse(content, source, ServerConfig, read)


def parse_tools(content: bytes, *, source: str) -> ToolLists:
    """`<server>: [tool, …]`; a server that is absent, or null, has all its tools. A list that cannot be read lets none through."""

    def read(document: Table, faults: list[EntryFault]) -> ToolLists:
        lists: dict[str, tuple[str, ...]] = {}
        for name, value in document.items():
            with _Naming(faults, name, source, document):
                if plain_value(value) is not None:
                    lists[name] = ()
                    lists[name] = get.texts(document, name)
        return ToolLists(lists, tuple(faults))

    return _parse(content, source, ToolLists, read)


def join_registries(parts: list[Registry]) -> Registry:
    """All servers of all parts; the later config wins."""
    servers: dict[str, dict[str, Any]] = {}
    for part in parts:
        for name, config in part.servers.items():
            servers[name] = overlay(servers.get(name, {}), config)
    return Registry(servers, _faults(parts))


def join_configs(parts: list[ServerConfig]) -> ServerConfig:
    """All values of all parts, merged; the later one wins. Allowed mounts add up."""
    values: dict[str, dict[str, Any]] = {}
    mounts: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for name, value in part.values.items():
            values[name] = overlay(values.get(name, {}), value)
        for name, lines in part.mounts.items():
            mounts[name] = (*mounts.get(name, ()), *lines)
    return ServerConfig(values, mounts, _faults(parts))


def join_tools(parts: list[ToolLists]) -> ToolLists:
    """All lists of all parts; the later list of a server replaces an earlier one."""
    lists = {name: tools for part in parts for name, tools in part.lists.items()}
    return ToolLists(lists, _faults(parts))


def split_setting(written: str, servers: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """`server.key.key` as the server and its keys; a server whose name has dots is recognised among `servers`.

    Raises:
        CatalogError: there is no key.
    """
    known = sorted(servers, key=len, reverse=True)
    server = next(
        (name for name in known if written.startswith(f"{name}.")), written.partition(".")[0]
    )
    keys = tuple(written[len(server) + 1 :].split("."))
    if not server or not all(keys):
        raise CatalogError(f"{written!r} is not of the form server.key")
    return server, keys


# --- private ----------------------------------------------------------------------------------------------------


class _Naming:
    """Turns a `CatalogError` within the block into a fault of that name."""

    def __init__(self, faults: list[EntryFault], name: str, source: str, table: object) -> None:
        line = table.lines.get(name, 0) if isinstance(table, Table) else 0
        self._faults = faults
        self._name = name
        self._origin = Origin(source, line, trusted=True)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, CatalogError):
            return False
        self._faults.append(EntryFault(self._name, self._origin, str(error)))
        return True


def _parse(
    content: bytes,
    source: str,
    kind: type[_Settings],
    read: Callable[[Table, list[EntryFault]], _Settings],
) -> _Settings:
    """Reads a document that is a mapping or empty; a broken file is one fault."""
    try:
        document = read_document(content, source)
        if document is None:
            return kind()
        if not isinstance(document, Table):
            raise DocumentError(source, 1, "must be a mapping")
        return read(document, [])
    except CatalogError as error:
        line, reason = (
            (error.line, error.reason) if isinstance(error, DocumentError) else (0, str(error))
        )
        origin = Origin(source, line, trusted=True)
        return kind(faults=(EntryFault(PurePath(source).name, origin, reason, whole_file=True),))


def _faults(parts: list[_Settings]) -> tuple[EntryFault, ...]:
    return tuple(fault for part in parts for fault in part.faults)
