"""Changes to an operator's files that keep everything else as it was: comments, order, quotes, unknown keys.

The one door of ruamel.yaml. Must not know what a change means for running servers: whoever watches the file does.
Every function replaces the file as a whole, and raises `CatalogError` for a file that it cannot read or write.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.catalog.document import DocumentError, Plain, plain_value, read_document
from gateway.catalog.server_config import canonical
from gateway.catalog.sources import is_there, require_file
from gateway.errors import CatalogError
from gateway.home import write_atomic

_WIDE: Final = 4096  # columns: no line of an operator is ever folded
_FIRST_ITEM: Final = re.compile(
    r"^(?P<outer> *)[^\s#-][^\n]*:\n(?P<inner> *)(?P<dash>- *)(?=\S)", re.MULTILINE
)
_FIRST_NESTED: Final = re.compile(
    r"^(?P<outer> *)[^\s#-][^\n]*:\n(?P<inner>(?P=outer) +)(?=[^\s#-])", re.MULTILINE
)

Change = Callable[[MutableMapping[str, Any]], bool]
"""Changes a document in place; whether it did."""


def enable_servers(
    path: Path, names: Iterable[str], *, before: Sequence[str] = ()
) -> tuple[str, ...]:
    """Adds servers to registry.yaml.

    Args:
        path: the registry; made if need be.
        names: the servers.
        before: what is enabled while no registry exists (in an empty home: the whole starter catalog).

    Returns:
        Those that were not enabled.
    """
    added: list[str] = []

    def change(document: MutableMapping[str, Any]) -> bool:
        registry = _branch(document, "registry", path)
        wanted = [*(before if not is_there(path) else ()), *names]
        for name in wanted:
            if _spelled(registry, name) is None:
                registry[name] = {"ref": ""}
                added.append(name)
        return bool(added)

    _edit(path, change)
    return tuple(name for name in added if name not in before)


def disable_servers(
    path: Path, names: Iterable[str], *, before: Sequence[str] = ()
) -> tuple[str, ...]:
    """Removes servers from registry.yaml.

    Args:
        path: the registry; made if need be, because without one an empty home enables everything.
        names: the servers.
        before: what is enabled while no registry exists.

    Returns:
        Those that were enabled.
    """
    removed: list[str] = []

    def change(document: MutableMapping[str, Any]) -> bool:
        registry = _branch(document, "registry", path)
        fresh = not is_there(path)
        registry.update({name: {"ref": ""} for name in before if fresh})
        for name in names:
            if (spelled := _spelled(registry, name)) is not None:
                del registry[spelled]
                removed.append(name)
        return fresh or bool(removed)

    _edit(path, change)
    return tuple(removed)


def add_entry(path: Path, name: str, entry: Mapping[str, Any], *, replace: bool = False) -> None:
    """Adds an entry, as plain JSON types, to a catalog file; the file is made if need be.

    Raises:
        CatalogError: there is one of that name and it may not be replaced.
    """

    def change(document: MutableMapping[str, Any]) -> bool:
        if not document:
            document.update({"version": 3, "name": path.stem, "displayName": path.stem})
        registry = _branch(document, "registry", path)
        if name in registry and not replace:
            raise CatalogError(f"{path} has a server {name} already; say --force to replace it")
        registry[name] = dict(entry)
        return True

    _edit(path, change)


def remove_entry(path: Path, name: str) -> bool:
    """Removes an entry from a catalog file; whether it was there."""

    def change(document: MutableMapping[str, Any]) -> bool:
        return _branch(document, "registry", path).pop(name, None) is not None

    return is_there(path) and _edit(path, change)


def set_value(path: Path, server: str, keys: Sequence[str], written: str) -> None:
    """Sets a value in config.yaml. `written` is JSON, or a YAML scalar: `5`, `true`, `null`, or text."""

    def change(document: MutableMapping[str, Any]) -> bool:
        branch = _branch(document, _spelled(document, server) or canonical(server), path)
        for key in keys[:-1]:
            branch = _branch(branch, key, path)
        branch[keys[-1]] = _in_style_of(branch.get(keys[-1]), parse_value(written))
        return True

    _edit(path, change)


def unset_value(path: Path, server: str, keys: Sequence[str]) -> bool:
    """Removes a value from config.yaml, and the mappings that this leaves empty; whether it was there."""

    def change(document: MutableMapping[str, Any]) -> bool:
        spelled = _spelled(document, server)
        return spelled is not None and _prune(document, (spelled, *keys))

    return is_there(path) and _edit(path, change)


def set_mounts(path: Path, server: str, lines: Sequence[str]) -> None:
    """Sets the guarded paths that a server may bind (`mounts:` of config.yaml)."""

    def change(document: MutableMapping[str, Any]) -> bool:
        _branch(document, "mounts", path)[server] = list(lines)
        return True

    _edit(path, change)


def parse_value(written: str) -> Any:
    """The value that a person means on a command line: JSON lists, objects and strings, else a scalar."""
    if written.lstrip()[:1] in {"[", "{", '"'}:
        try:
            return json.loads(written)
        except (ValueError, RecursionError) as error:
            raise CatalogError(f"{written[:_WIDE]!r} looks like JSON and is not") from error
    return plain_value(Plain(written))


# --- documents --------------------------------------------------------------------------------------------------


def _branch(parent: MutableMapping[str, Any], key: str, path: Path) -> MutableMapping[str, Any]:
    """The mapping below a key, made if need be."""
    if parent.get(key) is None:
        parent[key] = {}
    branch = parent[key]
    if not isinstance(branch, MutableMapping):
        raise CatalogError(f"{path}: {key!r} is not a mapping; change it in an editor")
    return branch


def _spelled(table: Mapping[str, Any], server: str) -> str | None:
    """How the table spells a server, None where it does not have it."""
    if server in table:
        return server
    return next((name for name in table if canonical(str(name)) == canonical(server)), None)


def _prune(document: MutableMapping[str, Any], keys: Sequence[str]) -> bool:
    """Removes the value at `keys` and the mappings left empty above it."""
    branch = document.get(keys[0])
    if len(keys) == 1:
        return document.pop(keys[0], None) is not None
    if not isinstance(branch, MutableMapping) or not _prune(branch, keys[1:]):
        return False
    if not branch:
        del document[keys[0]]
    return True


def _edit(path: Path, change: Change) -> bool:
    """Reads, changes, and writes a file if it was changed."""
    try:
        there = path.exists()
        require_file(path)
        text = path.read_text(encoding="utf-8-sig") if there else ""
        mode = path.stat().st_mode & 0o777 if there else 0o644
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: cannot be read: {_reason(error)}") from error
    edit = _edit_json if text.lstrip().startswith("{") else _edit_yaml
    try:
        changed = edit(text, path, change)
        if changed is None:
            return False
        # What the gateway could not read again would take every server's settings away.
        read_document(changed.encode(), str(path))
    except (DocumentError, RecursionError) as error:
        reason = error.reason if isinstance(error, DocumentError) else "is nested too deeply"
        raise CatalogError(
            f"{path}: is left as it was, for with this change it {reason}"
        ) from error
    try:
        write_atomic(path, changed.encode(), mode=mode)
    except OSError as error:
        raise CatalogError(
            f"{path}: cannot be written: {_reason(error)}; "
            "give yourself its folder, or set MCPGW_HOME to one of yours"
        ) from error
    return True


def _edit_json(text: str, path: Path, change: Change) -> str | None:
    """JSON keeps its order; it has no comments."""
    try:
        document = json.loads(text)
    except ValueError:
        return _edit_yaml(text, path, change)  # a YAML flow mapping
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n" if change(document) else None


def _edit_yaml(text: str, path: Path, change: Change) -> str | None:
    """A round trip through ruamel.yaml, with the file's own indentation."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - lazy: only commands edit files
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - the same

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDE
    yaml.indent(**_indentation(text))
    try:
        document = yaml.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        raise CatalogError(
            f"{path}{line}: is not valid YAML; mend it in an editor first"
        ) from error
    # A file without a document may still have comments, which ruamel.yaml would drop.
    head = "" if document is not None or not text.strip() else text.rstrip("\n") + "\n"
    document = {} if document is None else document
    if not isinstance(document, MutableMapping):
        raise CatalogError(f"{path}: is not a mapping")
    if not change(document):
        return None
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    return head + buffer.getvalue()


def _indentation(text: str) -> dict[str, int]:
    """How the text indents: ruamel.yaml's `mapping`, `sequence` and `offset`."""
    item = _FIRST_ITEM.search(text)
    key = _FIRST_NESTED.search(text)
    offset = len(item["inner"]) - len(item["outer"]) if item else 0
    return {
        "mapping": len(key["inner"]) - len(key["outer"]) if key else 2,
        "sequence": offset + len(item["dash"]) if item else 2,
        "offset": offset,
    }


def _in_style_of(old: object, new: Any) -> Any:
    """A list or mapping that is written on one line where the one it replaces was."""
    style = getattr(old, "fa", None)
    if not isinstance(new, list | dict) or style is None:
        return new
    if not isinstance(old, type(new)) or not style.flow_style():
        return new
    styled: Any = type(old)(new)  # ruamel.yaml's own list or dict
    styled.fa.set_flow_style()
    return styled


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"
