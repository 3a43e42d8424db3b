"""`config get|set|unset`: the settings of servers, kept in config.yaml of the home."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.catalog.model import Snapshot
from gateway.cli.grammar import Parser, closest
from gateway.cli.output import add_format, note, show
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import CatalogError, OptionError


def _define_get(parser: Parser) -> None:
    parser.argument(
        "setting", count="?", metavar="SERVER[.KEY]", help="one server or one value (default: all)"
    )
    add_format(parser)


def _define_set(parser: Parser) -> None:
    parser.argument(
        "settings",
        count="+",
        metavar="SERVER.KEY=VALUE",
        help="text, a number, true, false, null, or JSON",
    )


def _define_unset(parser: Parser) -> None:
    parser.argument(
        "settings", count="+", metavar="SERVER[.KEY]", help="a value, or all of a server's"
    )


def _get(arguments: Namespace, invocation: Invocation) -> int:
    values: Any = _values(invocation)
    if arguments.setting:
        values = _dig(values, arguments.setting, _snapshot(invocation))
    text = _for_people(values) if values not in ({}, None) else "config.yaml sets nothing"
    show(values, arguments, text=text)
    return 0


def _set(arguments: Namespace, invocation: Invocation) -> int:
    # lazy: editing brings a YAML library that keeps comments
    from gateway.catalog.edit import set_value  # noqa: PLC0415 - see above
    from gateway.catalog.settings import split_setting  # noqa: PLC0415 - see above

    path = invocation.home().config
    known = _snapshot(invocation).available
    settings = [_pair(word) for word in arguments.settings]
    for setting, value in settings:
        server, keys = split_setting(setting, known)
        set_value(path, server, keys, value)
        if server not in known:
            note(
                f"{setting} is set, but no catalog has a server {server!r}{closest(server, known)}"
            )
        else:
            note(f"{setting} is set in {path}")
    return 0


def _unset(arguments: Namespace, invocation: Invocation) -> int:
    # lazy: as in _set
    from gateway.catalog.edit import unset_value  # noqa: PLC0415 - see above
    from gateway.catalog.settings import split_setting  # noqa: PLC0415 - see above

    path = invocation.home().config
    known = {**_snapshot(invocation).available, **_values(invocation)}
    for setting in arguments.settings:
        whole = setting in known or "." not in setting
        server, keys = (setting, ()) if whole else split_setting(setting, known)
        if not unset_value(path, server, keys):
            raise CatalogError(
                f"{path} does not set {setting!r}; `{invocation.name} config get` shows what it sets"
            )
        note(f"{setting} is no longer set")
    return 0


def _pair(word: str) -> tuple[str, str]:
    setting, equals, value = word.partition("=")
    if not equals:
        raise OptionError(f"{word!r} is not SERVER.KEY=VALUE")
    return setting, value


def _values(invocation: Invocation) -> dict[str, Any]:
    """What config.yaml says, by server.

    Raises:
        CatalogError: it cannot be read.
    """
    # lazy: the parser brings YAML
    from gateway.catalog.document import plain_value, read_document  # noqa: PLC0415 - see above

    path = invocation.home().config
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    values = plain_value(read_document(content, str(path)))
    if not isinstance(values, dict | None):
        raise CatalogError(f"{path}: is not a mapping of servers; change it in an editor")
    return values or {}


def _dig(values: Mapping[str, Any], setting: str, snapshot: Snapshot) -> Any:
    """The value at `server.key.key`.

    Raises:
        CatalogError: nothing is set there.
    """
    # lazy: as in _set
    from gateway.catalog.settings import by_server, split_setting  # noqa: PLC0415 - see above

    whole = by_server(values, setting)
    if whole is not None:
        return whole
    if "." not in setting:
        return {} if setting in snapshot.available else _nothing(setting, values)
    server, keys = split_setting(setting, {**snapshot.available, **values})
    found: Any = by_server(values, server)
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            return _nothing(setting, values)
        found = found[key]
    return found


def _nothing(setting: str, values: Mapping[str, Any]) -> Any:
    raise CatalogError(f"config.yaml does not set {setting!r}{closest(setting, values)}")


def _for_people(value: Any) -> str:
    """A mapping as YAML, a single value as it is."""
    if isinstance(value, str):
        return value
    return msgspec.yaml.encode(value).decode().removesuffix("...\n").rstrip()


def _snapshot(invocation: Invocation) -> Snapshot:
    # lazy: reading catalogs brings YAML
    from gateway.configuration import load_snapshot  # noqa: PLC0415 - see above

    return load_snapshot(invocation.options(), invocation.environ)


VERBS: Final = (
    Verb(
        name="get",
        aliases=("ls", "list"),
        summary="show settings",
        run=_get,
        define=_define_get,
        arguments="[SERVER[.KEY]]",
        examples=("", "filesystem", "filesystem.paths --format json"),
    ),
    Verb(
        name="set",
        summary="change settings; comments and order of config.yaml stay",
        run=_set,
        define=_define_set,
        arguments="SERVER.KEY=VALUE",
        examples=("time.zone=Europe/Berlin", "filesystem.paths='[\"/home/me/docs\"]'"),
    ),
    Verb(
        name="unset",
        aliases=("rm", "remove"),
        summary="forget settings",
        run=_unset,
        define=_define_unset,
        arguments="SERVER[.KEY]",
        examples=("time.zone", "filesystem"),
    ),
)
