"""`secret set|ls|rm`: API keys of servers. Values go in and never come out."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.catalog.model import SecretUse, ServerEntry, Snapshot
from gateway.cli.grammar import Parser, closest
from gateway.cli.output import add_format, note, show, table
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import OptionError, SecretError


class SecretRow(msgspec.Struct, frozen=True, kw_only=True):
    """One secret in `secret ls`. `source` is None where no source has it; `servers` declare it."""

    name: str
    source: str | None
    servers: tuple[str, ...] = ()
    required: bool = False
    description: str = ""


def _define_set(parser: Parser) -> None:
    parser.argument(
        "secrets",
        count="+",
        metavar="NAME[=VALUE]",
        help="without a value it is asked for, or read from stdin",
    )
    parser.value("--provider", metavar="NAME", help=None)


def _define_ls(parser: Parser) -> None:
    parser.switch("--all", help="also those of servers that are not enabled")
    add_format(parser)


def _define_rm(parser: Parser) -> None:
    parser.argument("names", count="*", metavar="NAME", help="secrets to forget")
    parser.switch("--all", help="forget every secret of the store")


def _set(arguments: Namespace, invocation: Invocation) -> int:
    # lazy: the store brings file locks, which --help does not need
    from gateway.secrets.store import SecretStore  # noqa: PLC0415 - see above

    store = SecretStore(invocation.home().secrets)
    pairs = [word.partition("=") for word in arguments.secrets]
    asked = [name for name, equals, _ in pairs if not equals]
    if len(asked) > 1:
        raise OptionError(f"give one secret a time from stdin, not {', '.join(asked)}")
    for name, equals, value in pairs:
        store.set(name, value if equals else _ask_value(name))
    declared = declared_secrets(_snapshot(invocation).available.values())
    for name, _, _ in pairs:
        note(_sentence_on(name, declared))
    return 0


def _ls(arguments: Namespace, invocation: Invocation) -> int:
    rows = _rows(invocation, every=arguments.all)
    cells = [
        (
            row.name,
            row.source or ("MISSING" if row.required else "missing"),
            ", ".join(row.servers) or "-",
        )
        for row in rows
    ]
    text = (
        table(("NAME", "FROM", "SERVERS"), cells)
        if rows
        else "no server asks for a secret, and none is stored"
    )
    show(rows, arguments, text=text)
    return 0


def _rm(arguments: Namespace, invocation: Invocation) -> int:
    from gateway.secrets.store import SecretStore  # noqa: PLC0415 - lazy: as in _set

    store = SecretStore(invocation.home().secrets)
    if bool(arguments.names) == arguments.all:
        raise OptionError("name the secrets to forget, or give --all")
    known = store.names()
    for name in arguments.names or known:
        if not store.remove(name):
            near = closest(name, known)
            raise SecretError(f"the store has no secret {name!r}{near}")
        note(f"{name} is forgotten")
    return 0


def declared_secrets(
    entries: Iterable[ServerEntry],
) -> Mapping[str, tuple[tuple[ServerEntry, SecretUse], ...]]:
    """Which entries declare which secret, by the secret's name."""
    declared: dict[str, tuple[tuple[ServerEntry, SecretUse], ...]] = {}
    for entry in entries:
        for use in entry.secrets:
            declared[use.name] = (*declared.get(use.name, ()), (entry, use))
    return declared


def wanted_entries(snapshot: Snapshot) -> tuple[ServerEntry, ...]:
    """The entries that clients see, or would see but for a fault: a missing secret may be that fault."""
    wanted = snapshot.servers.keys() | {fault.name for fault in snapshot.faults}
    return tuple(entry for name, entry in snapshot.available.items() if name in wanted)


def _rows(invocation: Invocation, *, every: bool) -> tuple[SecretRow, ...]:
    """The secrets that servers declare, and those of the store that none does."""
    # lazy: reading catalogs brings YAML
    from gateway.configuration import load_secrets  # noqa: PLC0415 - see above
    from gateway.secrets.store import SecretStore  # noqa: PLC0415 - see above

    snapshot = _snapshot(invocation)
    entries = snapshot.available.values() if every else wanted_entries(snapshot)
    secrets = load_secrets(invocation.options(), invocation.environ).secrets
    rows = [
        SecretRow(
            name=name,
            source=next(
                filter(None, (secrets.where(use, entry.origin) for entry, use in uses)), None
            ),
            servers=tuple(entry.name for entry, _ in uses),
            required=any(use.required for _, use in uses),
            description=uses[0][1].description,
        )
        for name, uses in declared_secrets(entries).items()
    ]
    known = {row.name for row in rows}
    stored = SecretStore(invocation.home().secrets).names()
    rows += [SecretRow(name=name, source="store") for name in stored if name not in known]
    return tuple(rows)


def _snapshot(invocation: Invocation) -> Snapshot:
    # lazy: reading catalogs brings YAML
    from gateway.configuration import load_snapshot  # noqa: PLC0415 - see above

    return load_snapshot(invocation.options(), invocation.environ)


def _sentence_on(
    name: str, declared: Mapping[str, tuple[tuple[ServerEntry, SecretUse], ...]]
) -> str:
    """What became of a secret."""
    if name not in declared:
        return (
            f"{name} is stored, but no server of the catalogs asks for it{closest(name, declared)}"
        )
    servers = ", ".join(entry.name for entry, _ in declared[name])
    return f"{name} is stored; it goes to {servers}"


def _ask_value(name: str) -> str:
    """A value typed without echo, or all of stdin without its last line break.

    Raises:
        OptionError: there is none.
    """
    if sys.stdin.isatty():
        # lazy: most values come from elsewhere
        import getpass  # noqa: PLC0415 - see above

        value = getpass.getpass(f"value of {name} (not shown): ", stream=sys.stderr)
    else:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not value:
        raise OptionError(f"there is no value for {name}; write {name}=VALUE, or pipe it in")
    return value


VERBS: Final = (
    Verb(
        name="set",
        summary="keep a secret; servers that declare it get it",
        run=_set,
        define=_define_set,
        arguments="NAME[=VALUE]",
        examples=("github.personal_access_token", "brave.api_key=KEY", "brave.api_key < key.txt"),
        notes="Without a value it is asked for, and stays out of the shell's history.\n",
    ),
    Verb(
        name="ls",
        aliases=("list",),
        summary="list secrets: which servers ask for them, and where each comes from; never values",
        run=_ls,
        define=_define_ls,
        examples=("", "--all --format json"),
    ),
    Verb(
        name="rm",
        aliases=("remove",),
        summary="forget secrets of the store",
        run=_rm,
        define=_define_rm,
        arguments="NAME…",
        examples=("brave.api_key", "--all"),
    ),
)
