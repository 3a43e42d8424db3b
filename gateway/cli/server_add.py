"""`server add`: an entry from flags or from a file, checked, written to the home's own catalog, and enabled."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.cli.grammar import Parser
from gateway.cli.output import note
from gateway.cli.verbs import Invocation
from gateway.errors import CatalogError, OptionError

CUSTOM: Final = "custom.yaml"
"""The catalog file of servers that were added by command."""
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_FORMS: Final = ("image", "process", "url")
_WEBSOCKET: Final = frozenset({"websocket", "ws"})
_CONTAINER_ONLY: Final = ("command", "volume", "user", "disable_network")


def define_add(parser: Parser) -> None:
    """Defines the arguments of `server add`."""
    parser.argument(
        "server", metavar="FILE|NAME", help="a catalog file, or the name of the new server"
    )
    parser.switch("--force", help="replace an entry of the same name")
    parser.section("how it runs (one of these with a NAME)")
    parser.value("--image", metavar="REF", help="in a container of this image")
    parser.value("--process", metavar="COMMAND", help="as a local process: one quoted command line")
    parser.value("--url", metavar="URL", help="elsewhere: the address of a remote server")
    parser.section("further fields")
    parser.value(
        "--command", metavar="ARGS", help="arguments for the image: one quoted command line"
    )
    parser.repeat("--env", metavar="KEY=VALUE", help="an environment variable")
    parser.repeat("--secret", metavar="NAME[:ENV]", help="a secret, and the variable it arrives in")
    parser.repeat("--volume", metavar="SRC:DST[:ro]", help="a volume or a folder for the container")
    parser.value("--user", metavar="USER", help="the user in the container")
    parser.repeat(
        "--header", metavar="KEY=VALUE", help="a header for the remote server; ${ENV} is a secret"
    )
    parser.choice(
        "--transport",
        ("streamable-http", "sse", "websocket"),
        default=None,
        also=("http", "streaming", "streamable", "ws"),
        help="how the remote server speaks (default streamable-http; websocket for a ws or wss URL)",
    )
    parser.value("--cwd", metavar="FOLDER", help="where the local process runs")
    parser.value("--title", metavar="TEXT", help="a short name for people")
    parser.value("--description", metavar="TEXT", help="what it is for")
    parser.switch("--long-lived", help="keep it for the whole session of a client")
    parser.switch("--disable-network", help="give the container no network")


def add(arguments: Namespace, invocation: Invocation) -> int:
    """Adds servers and enables them."""
    # lazy: editing brings a YAML library that keeps comments
    from gateway.catalog.edit import add_entry, enable_servers  # noqa: PLC0415 - see above
    from gateway.configuration import load_snapshot  # noqa: PLC0415 - see above

    home = invocation.home()
    target = home.catalogs / CUSTOM
    entries = entries_of(arguments)
    check_entries(entries, str(target))
    before = load_snapshot(invocation.options(), invocation.environ)
    for name, entry in entries.items():
        add_entry(target, name, entry, replace=arguments.force)
    enable_servers(home.registry, entries)
    after = load_snapshot(invocation.options(), invocation.environ)
    for name in entries:
        note(f"{name} is added to {target}, and enabled")
    for fault in after.faults:
        if fault.name in entries:
            note(f"{fault.name} does not run yet: {fault.reason}")
    if gone := sorted(before.servers.keys() - after.servers.keys() - entries.keys()):
        note(
            f"the home is no longer empty, so {', '.join(gone)} of the starter catalog are shown with --starter only"
        )
    return 0


def entries_of(arguments: Namespace) -> dict[str, dict[str, Any]]:
    """The entries that the command line describes, as plain JSON types.

    Raises:
        OptionError: the flags do not describe one server.
        CatalogError: the file cannot be read.
    """
    forms = [form for form in _FORMS if getattr(arguments, form)]
    named = str(arguments.server)
    looks_like_file = Path(named).suffix in _SUFFIXES or "/" in named
    if not forms and looks_like_file:
        return read_entries(Path(named).expanduser().absolute())
    if len(forms) != 1:
        given = " and ".join(f"--{form}" for form in forms) or "none"
        raise OptionError(
            f"{named}: give one of --image, --process and --url, not {given}; or name a .yaml file"
        )
    return {_checked_name(named): _entry(arguments, forms[0])}


def check_entries(entries: Mapping[str, Mapping[str, Any]], source: str) -> None:
    """Reads the entries as the gateway will.

    Raises:
        CatalogError: one of them is of no use; says why.
    """
    # lazy: the parser brings YAML
    from gateway.catalog.parse import parse_catalog  # noqa: PLC0415 - see above

    content = msgspec.json.encode({"version": 3, "name": "custom", "registry": entries})
    parsed = parse_catalog(content, source=source, trusted=True)
    for fault in parsed.faults:
        raise CatalogError(f"{fault.name}: {fault.reason}")


def read_entries(path: Path) -> dict[str, dict[str, Any]]:
    """The entries of a catalog file; a file that is one entry with a `name` is understood, too.

    Raises:
        CatalogError: it cannot be read, or holds no entry.
    """
    # lazy: the parser brings YAML
    from gateway.catalog.document import read_document  # noqa: PLC0415 - see above

    try:
        content = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from error
    document = _plain(read_document(content, str(path)))
    registry = document.get("registry") if isinstance(document, dict) else None
    if isinstance(document, dict) and registry is None and document.get("name"):
        registry = {str(document.pop("name")): document}
    if not isinstance(registry, dict) or not registry:
        raise CatalogError(
            f"{path}: holds no server; a catalog has them under `registry:`, one entry has a `name:`"
        )
    return {name: _settled(entry, path.parent) for name, entry in registry.items()}


def _plain(value: object) -> Any:
    """Plain JSON types; a number whose spelling would be lost (`1.10`) stays text."""
    # lazy: the parser brings YAML
    from gateway.catalog.document import Plain, plain_value  # noqa: PLC0415 - see above

    match value:
        case dict():
            return {key: _plain(member) for key, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case Plain():
            meant = plain_value(value)
            numeric = isinstance(meant, int | float) and not isinstance(meant, bool)
            return str(value) if numeric and str(meant) != str(value) else meant
        case _:
            return value


def _settled(entry: Any, folder: Path) -> Any:
    """An entry whose local process no longer depends on the folder of its file."""
    process = entry.get("process") if isinstance(entry, dict) else None
    if not isinstance(process, dict):
        return entry
    settled = {**process, "cwd": str(folder / str(process.get("cwd") or "."))}
    match process.get("command"):
        case [str(program), *rest] if "/" in program:
            settled["command"] = [str(folder / program), *rest]
    return {**entry, "process": settled}


def _entry(arguments: Namespace, form: str) -> dict[str, Any]:
    """The entry that the flags describe."""
    _refuse_misplaced(arguments, form)
    entry: dict[str, Any] = {"title": arguments.title, "description": arguments.description}
    env = dict(_pair(word, "--env") for word in arguments.env)
    match form:
        case "image":
            entry |= {"image": arguments.image, "command": _words(arguments.command, "--command")}
            entry |= {
                "volumes": arguments.volume,
                "user": arguments.user,
                "disableNetwork": arguments.disable_network,
            }
        case "process":
            command = _words(arguments.process, "--process")
            cwd = (
                str(Path(arguments.cwd).expanduser().absolute())
                if arguments.cwd
                else str(Path.cwd())
            )
            entry["process"] = {"command": command, "cwd": cwd}
        case _:
            entry["type"] = "remote"
            entry["remote"] = {
                "url": arguments.url,
                "transport_type": _checked_transport(arguments.url, arguments.transport),
            }
            if headers := dict(_pair(word, "--header") for word in arguments.header):
                entry["remote"]["headers"] = headers
    entry["env"] = [{"name": name, "value": value} for name, value in env.items()]
    entry["secrets"] = [_secret(word) for word in arguments.secret]
    entry["longLived"] = arguments.long_lived
    return {key: value for key, value in entry.items() if value}


def _words(line: str, flag: str) -> list[str]:
    """The words of a quoted command line.

    Raises:
        OptionError: a quote is not closed, or a backslash escapes nothing.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise OptionError(f"{flag}: {line!r} is no command line: {error}") from error


def _checked_transport(url: str, asked: str | None) -> str:
    """How a server at that address is spoken to.

    Raises:
        OptionError: not as was asked, or not at all.
    """
    is_socket = url.startswith(("ws://", "wss://"))
    if not is_socket and not url.startswith(("http://", "https://")):
        raise OptionError(f"--url: must be an http, https, ws or wss URL, not {url!r}")
    if asked is not None and (asked in _WEBSOCKET) != is_socket:
        raise OptionError(f"--transport {asked} does not go with --url {url}")
    return asked or ("websocket" if is_socket else "streamable-http")


def _refuse_misplaced(arguments: Namespace, form: str) -> None:
    """Refuses flags that the form has no use for.

    Raises:
        OptionError: naming the first.
    """
    homes = {
        **dict.fromkeys(_CONTAINER_ONLY, "image"),
        "header": "url",
        "transport": "url",
        "cwd": "process",
    }
    for dest, owner in homes.items():
        if getattr(arguments, dest) and form != owner:
            raise OptionError(f"--{dest.replace('_', '-')} goes with --{owner}, not with --{form}")


def _checked_name(name: str) -> str:
    if name.startswith("-") or not name.isprintable() or any(mark in name for mark in " \t:/"):
        raise OptionError(
            f"{name!r} cannot be a server's name; use letters, digits, '.', '_' and '-'"
        )
    return name


def _pair(word: str, flag: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise OptionError(f"{flag}: {word!r} is not KEY=VALUE")
    return key, value


def _secret(word: str) -> dict[str, str]:
    """`name:ENV`, or a name whose variable is the name in capitals."""
    name, colon, env = word.partition(":")
    if not name or (colon and not env):
        raise OptionError(f"--secret: {word!r} is not NAME or NAME:ENV")
    return {"name": name, "env": env or _variable(name)}


def _variable(name: str) -> str:
    return "".join(mark if mark.isalnum() else "_" for mark in name).upper()
