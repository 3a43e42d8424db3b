"""`server inspect`: one server as it is configured, with what is known of it. Never shows a secret value."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.catalog.model import (
    ContainerLaunch,
    EnabledServer,
    PociLaunch,
    ProcessLaunch,
    RemoteLaunch,
    SecretUse,
    ServerEntry,
    Snapshot,
)
from gateway.cli.grammar import Parser, closest
from gateway.cli.output import add_format, fields, plain, show
from gateway.cli.rows import entry_kind, launch_kind
from gateway.cli.verbs import Invocation
from gateway.errors import CatalogError, GatewayError
from gateway.home import Home
from gateway.mcp.listing import ServerLists, load_lists
from gateway.mcp.versions import ERAS
from gateway.runtimes.link_notes import read_note

_MASK: Final = "***"
_NO_CONFIG: Final = "{}"
_TAIL_LINES: Final = 20
"""Lines of stderr in the form for people; the others have all of it."""


class KnownLists(msgspec.Struct, frozen=True):
    """The names of what a server listed when it last ran."""

    version: str
    tools: tuple[str, ...]
    prompts: tuple[str, ...]
    resources: tuple[str, ...]


class ServerView(msgspec.Struct, frozen=True, kw_only=True):
    """A server for people and programs."""

    name: str
    enabled: bool
    kind: str
    source: str
    faults: tuple[str, ...]
    secrets: Mapping[str, str]
    entry: dict[str, Any]
    launch: dict[str, Any] | None = None
    pool: dict[str, Any] | None = None
    link: str = ""
    allowed_tools: tuple[str, ...] | None = None
    lists: KnownLists | None = None
    stderr: str = ""


def define_inspect(parser: Parser) -> None:
    """Defines the arguments of `server inspect`."""
    parser.argument("name", help="the server's name")
    add_format(parser)


def inspect(arguments: Namespace, invocation: Invocation) -> int:
    """Prints one server."""
    # lazy: reading catalogs brings YAML
    from gateway.configuration import load_secrets, load_snapshot  # noqa: PLC0415 - see above

    options = invocation.options()
    snapshot = load_snapshot(options, invocation.environ)
    secrets = load_secrets(options, invocation.environ).secrets
    entry = _entry(arguments.name, snapshot)
    found = {use.name: secrets.where(use, entry.origin) for use in entry.secrets}
    view = view_of(entry, snapshot, found, invocation.home())
    show(view, arguments, text=lambda: _for_people(view))
    return 0


def view_of(
    entry: ServerEntry, snapshot: Snapshot, secrets: Mapping[str, str | None], home: Home
) -> ServerView:
    """All that is known of a server.

    Args:
        entry: the server.
        snapshot: what is configured.
        secrets: where each declared secret was found, None where nowhere.
        home: the home, for what was kept when the server last ran.
    """
    server = snapshot.servers.get(entry.name)
    faults = [fault for fault in snapshot.faults if fault.name == entry.name]
    return ServerView(
        name=entry.name,
        enabled=server is not None or any(fault.enabled for fault in faults),
        kind=launch_kind(server) if server else entry_kind(entry),
        source=str(entry.origin),
        faults=tuple(fault.reason for fault in faults),
        secrets={name: where or "missing" for name, where in secrets.items()},
        entry=_plain_entry(entry),
        launch=_plain_launch(server) if server else None,
        pool=plain(server.pooling) if server else None,
        link=_link(server, home) if server else "",
        allowed_tools=None
        if server is None or server.tools is None
        else tuple(sorted(server.tools)),
        lists=_known_lists(server, home) if server else None,
        stderr=_last_stderr(entry.name, home),
    )


def _entry(name: str, snapshot: Snapshot) -> ServerEntry:
    """The entry of that name.

    Raises:
        CatalogError: no catalog has it, or it is broken.
    """
    if name in snapshot.available:
        return snapshot.available[name]
    for fault in snapshot.faults:
        if fault.name == name:
            raise CatalogError(f"{name} is broken: {fault.origin}: {fault.reason}")
    near = closest(name, snapshot.available) or "; `server list` shows all"
    raise CatalogError(f"no catalog has a server {name!r}{near}")


def _plain_entry(entry: ServerEntry) -> dict[str, Any]:
    """The entry as its catalog has it, without what is empty. Templates are not filled in, so no secret is in it."""
    whole: dict[str, Any] = plain(entry)
    del whole["name"], whole["origin"]
    whole["config"] = [msgspec.json.decode(text) for text in entry.config]
    whole["metadata"] = msgspec.json.decode(entry.metadata)
    return _without_empty(whole)


def _without_empty(value: Mapping[str, Any]) -> dict[str, Any]:
    """The members that say something, at every depth."""
    cleaned = {
        key: _without_empty(member) if isinstance(member, dict) else member
        for key, member in value.items()
    }
    return {
        key: member
        for key, member in cleaned.items()
        if member not in ("", None, (), [], {}, False)
    }


def _plain_launch(server: EnabledServer) -> dict[str, Any]:
    """What would be started, with templates filled in: names of variables and headers, never their values."""
    launch = server.launch
    whole: dict[str, Any] = plain(launch)
    match launch:
        case ContainerLaunch() | ProcessLaunch() | PociLaunch():
            hidden = _values(launch.env, server.entry.secrets)
            whole["env"] = sorted(launch.env)
        case RemoteLaunch():
            # Values that stand in headers stand in the URL as well, if at all: show the template.
            hidden = frozenset(launch.headers.values())
            whole["headers"] = sorted(launch.headers)
            whole["url"] = server.entry.remote.url if server.entry.remote else ""
    whole.pop("tools", None)
    if whole.get("config") == _NO_CONFIG:
        del whole["config"]
    return _without_empty(_masked(whole, hidden))


def _values(env: Mapping[str, str], secrets: tuple[SecretUse, ...]) -> frozenset[str]:
    """The secret values of a launch."""
    return frozenset(env[use.env] for use in secrets if env.get(use.env))


def _masked(value: Any, hidden: frozenset[str]) -> Any:
    """Plain data in which no hidden text is left."""
    match value:
        case str():
            for text in sorted(hidden, key=len, reverse=True):
                value = value.replace(text, _MASK)
            return value
        case dict():
            return {key: _masked(member, hidden) for key, member in value.items()}
        case list() | tuple():
            return [_masked(member, hidden) for member in value]
        case _:
            return value


def _link(server: EnabledServer, home: Home) -> str:
    """How bytes travel to the server, "" where that is not known yet; with the reason where it is the slower way."""
    match server.launch:
        case ProcessLaunch():
            return "pipe"
        case ContainerLaunch() if (note := read_note(home, server.name)) is not None:
            return f"{note.link}: {note.why}" if note.why else note.link
        case _:
            return ""


def _known_lists(server: EnabledServer, home: Home) -> KnownLists | None:
    """What the server listed when it last ran as it is configured now, None where it never did."""
    for era in ERAS:
        try:
            return _names(load_lists(home.lists(server.list_key, era).read_bytes()))
        except (OSError, GatewayError):
            continue
    return None


def _names(lists: ServerLists) -> KnownLists:
    return KnownLists(
        version=lists.version,
        tools=tuple(item.key for item in lists.tools),
        prompts=tuple(item.key for item in lists.prompts),
        resources=tuple(item.key for item in (*lists.resources, *lists.templates)),
    )


def _last_stderr(name: str, home: Home) -> str:
    try:
        return home.stderr(name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _for_people(view: ServerView) -> str:
    """The view as lines."""
    entry, lists = view.entry, view.lists
    stderr = "\n".join(view.stderr.splitlines()[-_TAIL_LINES:])
    tools = "not listed yet" if view.launch is not None else ""
    if lists is not None:
        tools = ", ".join(lists.tools)
    elif view.kind == "poci":
        tools = "\n".join(f"{tool['name']}: {tool['image']}" for tool in entry["poci"])
    return fields(
        [
            ("name", view.name),
            ("enabled", "yes" if view.enabled else "no"),
            ("title", str(entry.get("title", ""))),
            ("description", str(entry.get("description", ""))),
            ("kind", view.kind),
            ("source", view.source),
            ("fault", "\n".join(view.faults)),
            ("secrets", "\n".join(f"{name}: {where}" for name, where in view.secrets.items())),
            ("launch", _yaml(view.launch)),
            ("pool", _yaml(view.pool)),
            ("link", view.link),
            ("only tools", ", ".join(view.allowed_tools or ())),
            ("tools", tools),
            ("prompts", ", ".join(lists.prompts) if lists else ""),
            ("resources", ", ".join(lists.resources) if lists else ""),
            ("stderr", stderr),
        ]
    )


def _yaml(value: Mapping[str, Any] | None) -> str:
    """A mapping as indented lines."""
    return msgspec.yaml.encode(value).decode().rstrip() if value else ""
