"""YAML or JSON text to plain Python values, with line numbers. The one module that reads YAML.

It must not know what the text is about. It never builds objects from tags, bounds what nesting and aliases can
cost, and keeps the text of unquoted scalars: `value: 1.10` is a version to whoever asks for text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway.errors import CatalogError
from gateway.limits import MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MAX_DOCUMENT_VALUES

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]{1,4000}")
_RADIX: Final = re.compile(r"0o[0-7]{1,1000}|0x[0-9a-fA-F]{1,1000}")
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]{1,400}|[0-9]{1,400}(\.[0-9]{0,400})?)([eE][-+]?[0-9]{1,9})?"
)
_JSON_KEY: Final = re.compile(r'("(?:[^"\\\n]|\\.)*")\s*:\s*\{')
_MERGE: Final = "<<"
_LINE_SEPARATORS: Final = frozenset("\x85\u2028\u2029")
_WIDE: Final = 4096  # columns: texts are not folded


class DocumentError(CatalogError):
    """The text cannot be read. `reason` is the sentence without the place; `line` is 1-based, 0 where unknown."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(f"{source}{f':{line}' if line else ''}: {reason}")
        self.line = line
        self.reason = reason


class Plain(str):
    """An unquoted YAML scalar: its text, which may also mean null, a boolean or a number (`plain_value`)."""

    __slots__ = ()


class Table(dict[str, Any]):
    """A mapping that knows where its keys stand, and which came twice (the first one counts)."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}
        self.repeated: list[tuple[str, int]] = []

    def put(self, key: str, value: object, line: int) -> None:
        """Adds a pair unless the key is there already."""
        if key in self:
            self.repeated.append((key, line))
            return
        self[key] = value
        self.lines[key] = line


def read_document(content: bytes, source: str) -> object:
    """The one document in `content`; None where it is empty.

    Mappings are `Table`, lists are lists, scalars are `str`, `Plain`, or (from JSON) null, booleans and numbers.

    Raises:
        DocumentError: not UTF-8, not YAML, too long, too deep, or aliases that blow up.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise DocumentError(source, 0, f"is longer than {MAX_DOCUMENT_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(source, line, "is not UTF-8 text") from error
    if text.lstrip().startswith("{"):
        try:
            return _located(msgspec.json.decode(text), text, source)
        except (msgspec.DecodeError, RecursionError):
            pass  # a YAML flow mapping looks the same; the YAML parser has the better message, too
    return _read_yaml(text, source)


def plain_value(value: object) -> Any:
    """The value as plain JSON types, with the meaning that YAML 1.2 gives to unquoted scalars."""
    if isinstance(value, Plain):
        return _scalar(str(value))
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    return value


def write_document(value: object) -> bytes:
    """Plain JSON types as YAML text, which `read_document` reads back as they were."""
    import yaml  # noqa: PLC0415 - lazy: a start whose catalogs are cached never needs it

    class Dumper(yaml.SafeDumper):
        """Quotes every text that would be read as something else; PyYAML knows only YAML 1.1's cases."""

    def represent(dumper: Any, text: str) -> Any:
        style = None if isinstance(_scalar(text), str) else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    options: dict[str, Any] = {"Dumper": Dumper, "sort_keys": False, "width": _WIDE}
    text: str = yaml.dump(value, allow_unicode=True, **options)
    if _LINE_SEPARATORS & set(text):  # PyYAML writes them bare and reads them as line ends
        text = yaml.dump(value, allow_unicode=False, **options)
    return text.encode()


def _scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means (YAML 1.2 core schema: `yes` and `1:30` are text)."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    number = float(text) if _FLOAT.fullmatch(text) else math.inf
    return number if math.isfinite(number) else text


# --- JSON -------------------------------------------------------------------------------------------------------


def _located(value: object, text: str, source: str) -> object:
    """Tables for dicts, with lines for keys that hold an object (all that is ever reported)."""
    places = _json_places(text)
    pending: list[tuple[object, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DOCUMENT_DEPTH:
            raise DocumentError(source, 0, f"is nested deeper than {MAX_DOCUMENT_DEPTH} levels")
        if isinstance(item, dict | list):
            children = item.values() if isinstance(item, dict) else item
            pending.extend((child, depth + 1) for child in children)
    return _to_table(value, places)


def _json_places(text: str) -> dict[str, int]:
    """The line of the first `"key": {` for each key."""
    places: dict[str, int] = {}
    line, position = 1, 0
    for match in _JSON_KEY.finditer(text):
        line += text.count("\n", position, match.start())
        position = match.start()
        places.setdefault(msgspec.json.decode(match[1]), line)
    return places


def _to_table(value: object, places: dict[str, int]) -> object:
    """Copies a JSON value; its depth was checked."""
    if isinstance(value, dict):
        table = Table()
        for key, item in value.items():
            table.put(key, _to_table(item, places), places.get(key, 0))
        return table
    if isinstance(value, list):
        return [_to_table(item, places) for item in value]
    return value


# --- YAML -------------------------------------------------------------------------------------------------------


def _read_yaml(text: str, source: str) -> object:
    """Builds the document from the parser's events.

    PyYAML's composers recurse in C: a few thousand brackets end the process. Its event stream does not.
    """
    import yaml  # noqa: PLC0415 - lazy: a start whose catalogs are cached never needs it

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml: ten times faster
    try:
        return _Builder(source).build(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        reason = " ".join(filter(None, (error.context, error.problem)))
        raise DocumentError(source, line, f"is not valid YAML: {reason}") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise DocumentError(source, 0, f"is not valid YAML: {reason}") from error


class _Open:
    """A collection whose end has not come yet."""

    __slots__ = ("anchor", "key", "line", "size", "value")

    def __init__(self, value: Table | list[Any], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        # In a mapping: the key whose value is due, and its line.
        self.key: str | None = None
        self.line = 0
        # Values in here with aliases written out.
        self.size = 1


class _Builder:
    """Turns parser events into values, iteratively, with an account of nesting and of written-out aliases."""

    def __init__(self, source: str) -> None:
        self._source = source
        # Collections from the outermost to the one being filled.
        self._stack: list[_Open] = []
        # Finished values by anchor, with their sizes. An anchor inside itself is unknown, so nothing is circular.
        self._anchors: dict[str, tuple[object, int]] = {}
        self._root: object = None
        self._count = 0

    def build(self, events: Iterator[Any]) -> object:
        """Consumes all events of a stream with at most one document."""
        documents = 0
        for event in events:
            line = event.start_mark.line + 1
            match type(event).__name__:
                case "DocumentStartEvent":
                    documents += 1
                    if documents > 1:
                        raise DocumentError(self._source, line, "holds more than one document")
                case "ScalarEvent":
                    value = Plain(event.value) if event.implicit[0] else str(event.value)
                    self._finish(value, event.anchor, 1, line)
                case "AliasEvent":
                    self._alias(event.anchor, line)
                case "MappingStartEvent":
                    self._enter(Table(), event.anchor, line)
                case "SequenceStartEvent":
                    self._enter([], event.anchor, line)
                case "MappingEndEvent" | "SequenceEndEvent":
                    done = self._stack.pop()
                    self._finish(done.value, done.anchor, done.size, line)
        return _scalar(self._root) if isinstance(self._root, Plain) else self._root

    def _enter(self, value: Table | list[Any], anchor: str | None, line: int) -> None:
        if len(self._stack) >= MAX_DOCUMENT_DEPTH:
            raise DocumentError(
                self._source, line, f"is nested deeper than {MAX_DOCUMENT_DEPTH} levels"
            )
        self._stack.append(_Open(value, anchor))

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise DocumentError(self._source, line, f"uses the unknown anchor {anchor!r}")
        value, size = self._anchors[anchor]
        self._finish(value, None, size, line)

    def _finish(self, value: object, anchor: str | None, size: int, line: int) -> None:
        """Puts a complete value where it belongs."""
        if anchor:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            self._root = value
            return
        parent = self._stack[-1]
        parent.size += size
        if parent.size > MAX_DOCUMENT_VALUES:
            raise DocumentError(
                self._source,
                line,
                f"holds more than {MAX_DOCUMENT_VALUES} values, aliases written out",
            )
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            if not isinstance(value, str):
                raise DocumentError(self._source, line, "has a key that is not text")
            parent.key, parent.line = value, line
        else:
            key, parent.key = parent.key, None
            self._put(parent.value, key, value, parent.line)

    def _put(self, table: Table, key: str, value: object, line: int) -> None:
        """Adds a pair; the merge key adds the pairs of its tables, which own keys override."""
        if key != _MERGE or not isinstance(key, Plain):
            if key in table and key not in table.lines:
                del table[key]  # it came from a merge
            table.put(str(key), value, line)
            return
        for merged in value if isinstance(value, list) else [value]:
            if not isinstance(merged, dict):
                raise DocumentError(self._source, line, "merges something that is not a mapping")
            for name, item in merged.items():
                table.setdefault(name, item)
