"""Schemas for clients that choke on JSON Schema 2020-12 (`--schema-compat`): references inlined, rare keywords dropped.

A rewritten schema is laxer, never stricter, except that a root's alternatives become one object with the properties of
them all: a server checks its arguments itself, while a client that refuses a schema hides the tool. Must not know tools.

Source: JSON Schema 2020-12, core §8.2 (references), §10 and §11 (keywords that hold schemas); RFC 6901 (pointers).
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

import msgspec

from gateway.limits import MAX_SCHEMA_DEPTH, MAX_SCHEMA_NODES
from gateway.mcp.params import Fields

_DROPPED: Final = frozenset(
    {
        # Names and places: of no use once nothing refers to them.
        "$anchor",
        "$comment",
        "$defs",
        "$dynamicAnchor",
        "$dynamicRef",
        "$id",
        "$recursiveAnchor",
        "$recursiveRef",
        "$ref",
        "$schema",
        "$vocabulary",
        "definitions",
        # Conditions.
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "then",
        # What few readers know.
        "additionalItems",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "maxContains",
        "minContains",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_ALTERNATIVES: Final = ("anyOf", "oneOf")
_FALLBACK: Final = msgspec.Raw(b'{"type":"object"}')

_encode = msgspec.json.Encoder().encode

Schema = dict[str, Any]


class _TooMuch(Exception):
    """The schema, written out, has more parts than anybody reads."""


def simplified_tool(tool: Fields) -> Fields:
    """A tool with simple schemas. That of its output is left out where it is no object's: older clients refuse it."""
    shown = dict(tool)
    if "inputSchema" in tool:
        shown["inputSchema"] = simplified(tool["inputSchema"])
    if "outputSchema" in tool:
        output = simplified(tool["outputSchema"])
        if _is_an_objects(output):
            shown["outputSchema"] = output
        else:
            del shown["outputSchema"]
    return shown


def simplified(schema: msgspec.Raw) -> msgspec.Raw:
    """The schema of an object in words that every client knows; `{"type":"object"}` where that would be too long.

    What is no schema of an object at its root stays as it is.
    """
    try:
        root = msgspec.json.decode(schema)
        if not isinstance(root, dict):
            return schema
        return msgspec.Raw(_encode(_Inlining(root).whole()))
    except _TooMuch:
        return _FALLBACK
    except (msgspec.DecodeError, RecursionError):
        return schema


def _is_an_objects(schema: msgspec.Raw) -> bool:
    try:
        root = msgspec.json.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(root, dict) and root.get("type") == "object"


class _Inlining:
    """One schema being written out."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = MAX_SCHEMA_NODES
        """Parts that may still be written: references multiply."""

    def whole(self) -> Schema:
        """The root; where it is an object's, its alternatives are united, for clients want plain properties there."""
        written = self._schema(self._root, (), 0)
        return _united(written) if written.get("type") == "object" else written

    def _schema(self, schema: object, open_refs: tuple[str, ...], depth: int) -> Schema:
        """One schema. `open_refs` are the references that led here: a second time round, anything is allowed."""
        self._left -= 1
        if self._left < 0:
            raise _TooMuch
        if not isinstance(schema, dict) or depth > MAX_SCHEMA_DEPTH:
            return {}
        written = self._members(schema, open_refs, depth + 1)
        ref = schema.get("$ref")
        if isinstance(ref, str) and ref not in open_refs:
            written = _both(written, self._schema(self._target(ref), (*open_refs, ref), depth + 1))
        for part in written.pop("allOf", ()):
            written = _both(written, part)
        return written

    def _members(self, schema: Schema, open_refs: tuple[str, ...], depth: int) -> Schema:
        written: Schema = {}
        for name, value in _softened(schema).items():
            match name, value:
                case "properties", dict():
                    written[name] = {
                        key: self._schema(one, open_refs, depth)
                        for key, one in value.items()
                        if one is not False
                    }
                case (("anyOf" | "oneOf" | "allOf"), [_, *_]):
                    branches = [self._schema(one, open_refs, depth) for one in value]
                    written["anyOf" if name in _ALTERNATIVES else name] = branches
                case (("anyOf" | "oneOf" | "allOf" | "properties"), _):
                    pass  # ill made, and asks for nothing
                case (("items" | "additionalProperties"), dict()):
                    written[name] = self._schema(value, open_refs, depth)
                case "const", _:
                    written["enum"] = [value]
                case _:
                    written[name] = value
        return written

    def _target(self, ref: str) -> object:
        """What a reference within this schema leads to; nothing for all others, which are never fetched."""
        if ref == "#":
            return self._root
        if not ref.startswith("#/"):
            return {}
        found: object = self._root
        for step in ref[2:].split("/"):
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(key)
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return {}
        return found


def _softened(schema: Schema) -> Schema:
    """The schema without what is dropped, nor what would mean more without it."""
    kept = {name: value for name, value in schema.items() if name not in _DROPPED}
    if "patternProperties" in schema:
        kept.pop("additionalProperties", None)
    if "prefixItems" in schema or isinstance(kept.get("items"), list | bool):
        kept.pop("items", None)
    for bound in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(kept.get(bound), bool):
            del kept[bound]  # the form of draft 4
    return kept


def _both(schema: Schema, other: Schema) -> Schema:
    """What satisfies both, or more: where they differ, the first one's word stands."""
    joined = {**other, **schema}
    if "properties" in schema and "properties" in other:
        joined["properties"] = {**other["properties"], **schema["properties"]}
    required = [*_names(schema), *_names(other)]
    if required:
        joined["required"] = list(dict.fromkeys(required))
    return joined


def _united(schema: Schema) -> Schema:
    """An object's schema without alternatives: the properties of all of them, and what each of them requires."""
    branches = schema.get("anyOf")
    if branches is None:
        return schema
    offers: dict[str, list[Schema]] = {}
    for branch in branches:
        for name, one in branch.get("properties", {}).items():
            if one not in offers.setdefault(name, []):
                offers[name].append(one)
    united = {name: value for name, value in schema.items() if name != "anyOf"}
    found = {name: one[0] if len(one) == 1 else {"anyOf": one} for name, one in offers.items()}
    if found:
        united["properties"] = {**found, **schema.get("properties", {})}
    everywhere = [
        name for name in _names(branches[0]) if all(name in _names(one) for one in branches[1:])
    ]
    return _both(united, {"required": everywhere}) if everywhere else united


def _names(schema: Schema) -> list[str]:
    """The names that a schema requires."""
    required = schema.get("required")
    listed = required if isinstance(required, list) else []
    return [name for name in listed if isinstance(name, str)]
