"""Which arguments of a tool are mirrored into HTTP headers: `x-mcp-header` in its input schema. Must not know requests.

An annotation counts only on a property that is reached from the root through `properties` alone. Anywhere else, or ill
made, it spoils the whole tool: one client would send the header, and another would not.

Source: MCP 2026-07-28, server features, "Tools", "x-mcp-header"; JSON Schema 2020-12, core, §10 and §11 (where schemas
occur in schemas).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway.errors import ProtocolFault
from gateway.limits import MAX_SCHEMA_NODES

KEYWORD: Final = "x-mcp-header"
PREFIX: Final = "Mcp-Param-"

Path = tuple[str, ...]
"""Names of properties, from the arguments inwards."""


class ParamHeader(msgspec.Struct, frozen=True):
    """One argument that is mirrored: the whole name of its header, and where its value stands in the arguments."""

    name: str
    path: Path


_KEYWORD_BYTES: Final = KEYWORD.encode()
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MIRRORED_TYPES: Final = ("string", "integer", "boolean")
_SHOWN_CHARS: Final = 80
"""Of an annotation in a reason: it may be anything, and any length."""

_ONE_SCHEMA: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_SCHEMA_LISTS: Final = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_SCHEMA_MAPS: Final = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"}
)


def param_headers(input_schema: msgspec.Raw) -> tuple[ParamHeader, ...]:
    """The arguments that a tool with this input schema has mirrored, in the order of the schema.

    Raises:
        ProtocolFault: an annotation is ill made; the text says which, and why. The tool is not to be shown.
    """
    # The keyword could hide in escapes; without either there is nothing to look for, as in nearly all schemas.
    text = bytes(input_schema)
    if _KEYWORD_BYTES not in text and b"\\u" not in text:
        return ()
    try:
        schema = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault("The input schema cannot be read.") from error
    found: dict[str, ParamHeader] = {}
    for path, annotated in _annotated(schema):
        header = _header(path, annotated)
        if header.name.lower() in found:
            raise ProtocolFault(f"{KEYWORD} {annotated[KEYWORD][:_SHOWN_CHARS]!r} is given twice.")
        found[header.name.lower()] = header
    return tuple(found.values())


def usable_schema(input_schema: msgspec.Raw) -> str | None:
    """Why a tool with this input schema must not be shown to clients on HTTP; None where it may."""
    try:
        param_headers(input_schema)
    except ProtocolFault as reason:
        return str(reason)
    return None


def _header(path: Path | None, schema: dict[str, Any]) -> ParamHeader:
    name = schema[KEYWORD]
    if not isinstance(name, str):
        raise ProtocolFault(f"{KEYWORD} is no string.")
    shown = repr(name[:_SHOWN_CHARS])
    if not _TOKEN.fullmatch(name):
        raise ProtocolFault(f"{KEYWORD} {shown} is no name of a header.")
    if not path:
        raise ProtocolFault(f"{KEYWORD} {shown} is not on a plain property of the arguments.")
    if schema.get("type") not in _MIRRORED_TYPES:
        raise ProtocolFault(f"{KEYWORD} {shown} is on no string, integer or boolean.")
    return ParamHeader(PREFIX + name, path)


def _annotated(root: Any) -> Iterator[tuple[Path | None, dict[str, Any]]]:
    """All schemas within a schema that carry the annotation, with their path; None where `properties` do not lead there.

    A stack instead of recursion: schemas are strangers'. `$ref` is not followed, so that it ends.
    """
    waiting: list[tuple[Path | None, Any]] = [((), root)]
    seen = 0
    while waiting:
        path, schema = waiting.pop()
        if not isinstance(schema, dict):
            continue
        seen += 1
        if seen > MAX_SCHEMA_NODES:
            raise ProtocolFault(f"The input schema has more than {MAX_SCHEMA_NODES} parts.")
        if KEYWORD in schema:
            yield path, schema
        waiting.extend(reversed(list(_within(path, schema))))


def _within(path: Path | None, schema: dict[str, Any]) -> Iterator[tuple[Path | None, Any]]:
    """The schemas directly within a schema."""
    for keyword, value in schema.items():
        if keyword == "properties" and isinstance(value, dict):
            for name, inner in value.items():
                yield None if path is None else (*path, name), inner
        elif keyword in _SCHEMA_MAPS and isinstance(value, dict):
            yield from ((None, inner) for inner in value.values())
        elif keyword in _SCHEMA_LISTS and isinstance(value, list):
            yield from ((None, inner) for inner in value)
        elif keyword in _ONE_SCHEMA:
            yield None, value
