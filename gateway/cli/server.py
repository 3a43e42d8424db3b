"""`server list|add|remove|enable|disable|inspect`: the servers of the home."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from gateway.catalog.model import Snapshot
from gateway.cli.grammar import Parser, closest
from gateway.cli.output import add_format, note, show
from gateway.cli.rows import rows_table, server_rows
from gateway.cli.server_add import CUSTOM, add, define_add
from gateway.cli.server_inspect import define_inspect, inspect
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import CatalogError


def _define_list(parser: Parser) -> None:
    parser.switch("--enabled", help="only those that clients see")
    add_format(parser)


def _define_names(parser: Parser) -> None:
    parser.argument("names", count="+", metavar="NAME", help="servers")


def _list(arguments: Namespace, invocation: Invocation) -> int:
    """Exit status 0 also where entries are broken: they cost only themselves."""
    snapshot = _snapshot(invocation)
    rows = server_rows(snapshot)
    if arguments.enabled:
        rows = tuple(row for row in rows if row.enabled)
    text = rows_table(rows) if rows else f"no servers: `{invocation.name} server add` adds one"
    show(rows, arguments, text=text)
    for sentence in snapshot.notes:
        note(sentence)
    return 0


def _enable(arguments: Namespace, invocation: Invocation) -> int:
    # lazy: editing brings a YAML library that keeps comments
    from gateway.catalog.edit import enable_servers  # noqa: PLC0415 - see above

    snapshot = _snapshot(invocation)
    known = snapshot.available.keys() | {fault.name for fault in snapshot.faults}
    for name in arguments.names:
        if name not in known:
            near = closest(name, known) or "; `server list` shows all"
            raise CatalogError(f"no catalog has a server {name!r}{near}")
    home = invocation.home()
    added = enable_servers(home.registry, arguments.names, before=tuple(snapshot.servers))
    for name in arguments.names:
        note(f"{name} is enabled" if name in added else f"{name} was enabled already")
    _mention_faults(arguments.names, invocation)
    return 0


def _disable(arguments: Namespace, invocation: Invocation) -> int:
    from gateway.catalog.edit import disable_servers  # noqa: PLC0415 - lazy: as in _enable

    snapshot = _snapshot(invocation)
    known = snapshot.available.keys() | {fault.name for fault in snapshot.faults}
    removed = disable_servers(
        invocation.home().registry, arguments.names, before=tuple(snapshot.servers)
    )
    for name in arguments.names:
        if name not in removed and name not in known:
            near = closest(name, known) or "; `server list` shows all"
            raise CatalogError(f"there is no server {name!r}{near}")
        note(f"{name} is disabled" if name in removed else f"{name} was not enabled")
    return 0


def _remove(arguments: Namespace, invocation: Invocation) -> int:
    from gateway.catalog.edit import disable_servers, remove_entry  # noqa: PLC0415 - lazy: as in _enable

    home = invocation.home()
    snapshot = _snapshot(invocation)
    for name in arguments.names:
        removed = remove_entry(home.catalogs / CUSTOM, name)
        entry = snapshot.available.get(name)
        if not removed and entry is not None:
            raise CatalogError(
                f"{name} was not added here but stands in {entry.origin.source}; "
                f"`{invocation.name} server disable {name}` hides it from clients"
            )
        disabled = disable_servers(home.registry, [name], before=tuple(snapshot.servers))
        if not removed and not disabled:
            near = closest(name, snapshot.available) or "; `server list` shows all"
            raise CatalogError(f"there is no server {name!r}{near}")
        note(f"{name} is removed")
    return 0


def _mention_faults(names: list[str], invocation: Invocation) -> None:
    """Says what keeps freshly enabled servers from running: a missing secret, mostly."""
    for fault in _snapshot(invocation).faults:
        if fault.name in names:
            note(f"{fault.name} does not run yet: {fault.reason}")


def _snapshot(invocation: Invocation) -> Snapshot:
    # lazy: reading catalogs brings YAML
    from gateway.configuration import load_snapshot  # noqa: PLC0415 - see above

    return load_snapshot(invocation.options(), invocation.environ)


VERBS: Final = (
    Verb(
        name="list",
        aliases=("ls",),
        summary="list servers: enabled, broken (with file, line and reason), and available",
        run=_list,
        define=_define_list,
        examples=("", "--enabled", "--format json"),
    ),
    Verb(
        name="add",
        summary="add a server to the home, and enable it",
        run=add,
        define=define_add,
        arguments="FILE | NAME",
        examples=(
            "./my-server.yaml",
            "time --image mcp/time",
            "files --image mcp/filesystem --command /data --volume /home/me/docs:/data",
            "web --process 'npx -y @modelcontextprotocol/server-everything'",
            "docs --url https://x.example/mcp --header 'Authorization=Bearer ${TOKEN}' --secret docs:TOKEN",
        ),
        notes=f"The entry is written to catalogs/{CUSTOM} in the home, where further fields can be added.\n",
    ),
    Verb(
        name="remove",
        aliases=("rm",),
        summary="remove servers that `server add` added",
        run=_remove,
        define=_define_names,
        arguments="NAME…",
        examples=("time",),
    ),
    Verb(
        name="enable",
        summary="let clients see servers",
        run=_enable,
        define=_define_names,
        arguments="NAME…",
        examples=("github time",),
    ),
    Verb(
        name="disable",
        summary="hide servers from clients",
        run=_disable,
        define=_define_names,
        arguments="NAME…",
        examples=("github",),
    ),
    Verb(
        name="inspect",
        summary="show one server: its entry, how it is started, what it listed, what it last said",
        run=inspect,
        define=define_inspect,
        arguments="NAME",
        examples=("time", "time --format yaml"),
    ),
)
