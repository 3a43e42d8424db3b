"""Reads catalog text into records: the fields of the catalog format v2 and v3, and ours.

Must not touch files or the network. An entry that cannot be used costs only itself.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

import msgspec

from gateway.catalog import fields as get
from gateway.catalog.document import DocumentError, Table, plain_value, read_document
from gateway.catalog.fields import Fields
from gateway.catalog.model import (
    EntryFault,
    EnvVar,
    Isolation,
    Origin,
    ParsedCatalog,
    PoolPolicy,
    ProcessForm,
    Remote,
    RemoteTransport,
    ResourceLimits,
    SecretUse,
    ServerEntry,
)
from gateway.catalog.parse_poci import is_poci, poci_tools
from gateway.errors import CatalogError

_TRANSPORTS: Final[dict[str, RemoteTransport]] = {
    "": "streamable-http",
    "http": "streamable-http",
    "streamable": "streamable-http",
    "streaming": "streamable-http",
    "streamable-http": "streamable-http",
    "sse": "sse",
    "websocket": "websocket",
    "ws": "websocket",
}
_ISOLATIONS: Final[dict[str, Isolation | None]] = {
    "": None,
    "session": "session",
    "principal": "principal",
    "call": "call",
    "shared": "shared",
}


def parse_catalog(content: bytes, *, source: str, trusted: bool) -> ParsedCatalog:
    """All entries of a catalog file.

    Args:
        content: YAML or JSON.
        source: where it was read, for messages and for relative paths of local processes.
        trusted: whether its entries may name local processes.
    """
    stem = PurePath(source).stem
    try:
        document = read_document(content, source)
        registry, name, title = _head(document, source)
    except DocumentError as error:
        return ParsedCatalog(name=stem, faults=(_file_fault(source, error, trusted=trusted),))
    entries: list[ServerEntry] = []
    faults: list[EntryFault] = []
    for key, value in registry.items():
        origin = Origin(source, registry.lines.get(key, 0), trusted)
        try:
            entries.append(parse_entry(key, value, origin))
        except CatalogError as error:
            faults.append(EntryFault(key, origin, str(error)))
    for key, line in registry.repeated:
        reason = f"is described a second time; line {registry.lines[key]} counts"
        faults.append(EntryFault(key, Origin(source, line, trusted), reason))
    return ParsedCatalog(
        name=name or stem, display_name=title, entries=tuple(entries), faults=tuple(faults)
    )


def parse_entry(name: str, value: object, origin: Origin) -> ServerEntry:
    """One entry.

    Raises:
        CatalogError: it cannot be used; says which field is wrong.
    """
    if not name or not name.isprintable() or name != name.strip():
        raise CatalogError("the name of a server must be visible text")
    if not isinstance(value, dict):
        raise CatalogError("an entry must be a mapping")
    image = get.text(value, "image")
    _refuse_flag("image", image)
    remote, process = _remote(value), _process(value)
    poci = is_poci(value) and not (image or remote)
    if not (image or remote or poci or process):
        raise CatalogError(
            "names no `image`, no `remote.url`, no tool with a `container` and no `process.command`"
        )
    return ServerEntry(
        name=name,
        origin=origin,
        kind="server" if image else "remote" if remote else "poci" if poci else "server",
        title=get.text(value, "title"),
        description=get.text(value, "description"),
        icon=get.text(value, "icon"),
        readme=get.text(value, "readme"),
        image=image,
        command=get.texts(value, "command"),
        volumes=get.texts(value, "volumes"),
        user=get.text(value, "user"),
        env=_env(value),
        secrets=tuple(_secret(item) for item in get.tables(value, "secrets")),
        disable_network=get.flag(value, "disableNetwork"),
        allow_hosts=get.texts(value, "allowHosts"),
        extra_hosts=get.texts(value, "extraHosts"),
        long_lived=get.flag(value, "longLived"),
        prefix=get.text(value, "prefix"),
        remote=remote,
        poci=poci_tools(value) if poci else (),
        process=process,
        caps=tuple(cap.upper().removeprefix("CAP_") for cap in get.texts(value, "caps")),
        resources=_resources(get.table(value, "resources")),
        pool=_pool(get.table(value, "pool")),
        config=tuple(_json(item) for item in get.tables(value, "config")),
        tool_names=_tool_names(value),
        oauth_providers=_oauth_providers(value),
        metadata=_json(get.table(value, "metadata")),
    )


# --- the file ---------------------------------------------------------------------------------------------------


def _head(document: object, source: str) -> tuple[Table, str, str]:
    """The registry, the name and the title of a catalog document."""
    if document is None:
        raise DocumentError(source, 0, "is empty")
    if not isinstance(document, Table) or "registry" not in document:
        raise DocumentError(source, 0, "is not a catalog: it has no `registry:` mapping")
    registry = document["registry"]
    if plain_value(registry) is None:
        registry = Table()
    if not isinstance(registry, Table):
        raise DocumentError(source, document.lines["registry"], "`registry` must be a mapping")
    try:
        return registry, get.text(document, "name"), get.text(document, "displayName")
    except CatalogError as error:
        raise DocumentError(source, 0, str(error)) from error


def _file_fault(source: str, error: DocumentError, *, trusted: bool) -> EntryFault:
    origin = Origin(source, error.line, trusted)
    return EntryFault(PurePath(source).name, origin, error.reason, whole_file=True)


# --- fields of an entry -----------------------------------------------------------------------------------------


def _refuse_flag(what: str, value: str) -> None:
    """Refuses values that a command line would take for an option, or split."""
    if value.startswith("-") or any(character.isspace() for character in value):
        raise CatalogError(f"`{what}` must not begin with '-' or hold white space: {value!r}")


def _json(value: object) -> str:
    """The value as JSON text."""
    return msgspec.json.encode(plain_value(value)).decode()


def _secret(item: Fields) -> SecretUse:
    name = get.text(item, "name")
    if not name:
        raise CatalogError("an item of `secrets` has no `name`")
    env = get.text(item, "env") or name
    _check_variable(env)
    return SecretUse(
        name=name,
        env=env,
        description=get.text(item, "description"),
        example=get.text(item, "example"),
        required=get.flag(item, "required"),
    )


def _env(value: Fields) -> tuple[EnvVar, ...]:
    """`env` as a list of `{name, value}`, or as a plain mapping."""
    given = value.get("env")
    if isinstance(given, dict) and "name" not in given:
        variables = [EnvVar(name, text) for name, text in get.text_table(value, "env").items()]
    else:
        variables = [
            EnvVar(get.text(item, "name"), get.text(item, "value"))
            for item in get.tables(value, "env")
        ]
    for variable in variables:
        _check_variable(variable.name)
    return tuple(variables)


def _check_variable(name: str) -> None:
    if not name or "=" in name or " " in name or not name.isprintable():
        raise CatalogError(f"{name!r} cannot be the name of an environment variable")


def _remote(value: Fields) -> Remote | None:
    remote = get.table(value, "remote")
    if url := get.text(remote, "url"):
        transport = get.text(remote, "transport_type").lower()
        if transport not in _TRANSPORTS:
            raise CatalogError(
                f"`remote.transport_type` {transport!r} is none of http, sse and websocket"
            )
        return Remote(url, _TRANSPORTS[transport], get.text_table(remote, "headers"))
    if url := get.text(value, "sseEndpoint"):
        return Remote(url, "sse")
    return None


def _process(value: Fields) -> ProcessForm | None:
    process = get.table(value, "process")
    if not process:
        return None
    command = get.texts(process, "command")
    if not command or not command[0]:
        raise CatalogError("`process.command` must name a program")
    env = get.text_table(process, "env")
    for name in env:
        _check_variable(name)
    return ProcessForm(command, env, get.text(process, "cwd") or None)


def _resources(value: Fields) -> ResourceLimits:
    bounds = get.table(value, "limits")
    return ResourceLimits(
        memory_bytes=get.memory(bounds, "memory"),
        cpus=get.cpus(bounds, "cpu") or get.cpus(bounds, "cpus"),
        pids=get.whole(bounds, "pids", 1),
    )


def _pool(value: Fields) -> PoolPolicy:
    isolation = get.text(value, "isolation")
    if isolation not in _ISOLATIONS:
        raise CatalogError("`pool.isolation` must be one of session, principal, call, shared")
    return PoolPolicy(
        isolation=_ISOLATIONS[isolation],
        warm=get.whole(value, "warm", 0),
        max=get.whole(value, "max", 1),
        idle_s=get.seconds(value, "idle_s", positive=False),
        max_inflight=get.whole(value, "max_inflight", 1),
        timeout_s=get.seconds(value, "timeout_s", positive=True),
        init_timeout_s=get.seconds(value, "init_timeout_s", positive=True),
        shared_network=get.flag(value, "shared_network"),
        retry=get.flag_or_none(value, "retry"),
    )


def _tool_names(value: Fields) -> tuple[str, ...]:
    """Names in `tools`, whose items are names or mappings."""
    names = (
        get.text(item, "name") if isinstance(item, dict) else get.scalar_text(item, "tools")
        for item in get.listing(value, "tools")
    )
    return tuple(name for name in names if name)


def _oauth_providers(value: Fields) -> tuple[str, ...]:
    """Names of the OAuth providers, from `oauth: {providers: [...]}` or `oauth: [...]`."""
    given = value.get("oauth")
    items = (
        get.tables(given, "providers") if isinstance(given, dict) else get.tables(value, "oauth")
    )
    return tuple(name for item in items if (name := get.text(item, "provider")))
