"""Tool arguments from the command line: `key=value` typed by the tool's input schema, or JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Final

import msgspec

from gateway.cli.grammar import closest
from gateway.cli.values import truth
from gateway.errors import OptionError

_SCALARS: Final = ("integer", "number", "boolean", "null", "object", "array", "string")
"""JSON types in the order in which a value that may be several of them is tried."""
_PYTHON: Final[Mapping[str, type | UnionType]] = {
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": NoneType,
    "object": dict,
    "array": list,
}


def build_arguments(words: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments object of a call.

    A single word that is a JSON object is that object. Else each word is `key=value`; a repeated key makes an array;
    a value is read as the type that the schema names, and as text where it names none.

    Args:
        words: What stood behind the tool's name.
        schema: The tool's `inputSchema`.

    Raises:
        OptionError: a word is no `key=value`, or its value does not fit the schema.
    """
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        return read_object(words[0])
    grouped: dict[str, list[str]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise OptionError(
                f"argument {word!r} is not key=value; write it so, or give one JSON object"
            )
        grouped.setdefault(key, []).append(value)
    properties = _properties(schema)
    return {key: _value(key, texts, schema, properties) for key, texts in grouped.items()}


def read_object(text: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        OptionError: it is not one.
    """
    try:
        value = msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        raise OptionError(f"the arguments are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise OptionError('the arguments must be one JSON object, like \'{"key": "value"}\'')
    return value


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema's properties; a schema that has none of the usual form knows none."""
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _value(
    key: str, texts: Sequence[str], schema: Mapping[str, Any], properties: Mapping[str, Any]
) -> Any:
    """One argument's value."""
    if key not in properties and schema.get("additionalProperties") is False:
        raise OptionError(
            f"the tool has no argument {key!r}{closest(key, properties)}; it knows {', '.join(properties) or 'none'}"
        )
    described = properties.get(key)
    types = _types(described)
    if len(texts) == 1 and "array" not in types:
        return _read(key, texts[0], types)
    if len(texts) == 1 and texts[0].lstrip().startswith("["):
        return _read(key, texts[0], ("array",))
    items = _types(described.get("items") if isinstance(described, dict) else None)
    return [_read(key, text, items) for text in texts]


def _types(described: Any) -> tuple[str, ...]:
    """The JSON types that a schema lets through; none where it does not say."""
    if not isinstance(described, dict):
        return ()
    named = described.get("type")
    if isinstance(named, str):
        return (named,)
    if isinstance(named, list):
        return tuple(name for name in _SCALARS if name in named)
    parts = [
        part
        for word in ("anyOf", "oneOf")
        if isinstance(found := described.get(word), list)
        for part in found
    ]
    inner = {name for part in parts for name in _types(part)}
    return tuple(name for name in _SCALARS if name in inner)


def _read(key: str, text: str, types: Sequence[str]) -> Any:
    """A value as the first of the types that it fits.

    Raises:
        OptionError: it fits none.
    """
    if not types or list(types) == ["string"]:
        return text
    for name in types:
        fits, value = _as(name, text)
        if fits:
            return value
    raise OptionError(f"argument {key!r} must be {' or '.join(types)}, not {text!r}")


def _as(name: str, text: str) -> tuple[bool, Any]:
    """Whether the text is of that JSON type, and its value."""
    if name == "string":
        return True, text
    if name == "boolean" and text.lower() in {"true", "false", "yes", "no", "on", "off"}:
        return True, truth(text)
    try:
        value = msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return False, None
    if name == "integer" and isinstance(value, float) and value.is_integer():
        return True, int(value)
    is_truth = isinstance(value, bool)  # Python's bool is an int, JSON's is not
    return isinstance(value, _PYTHON.get(name, object)) and is_truth == (name == "boolean"), value
