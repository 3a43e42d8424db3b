"""Checks a call's arguments against its tool's input schema. Pure.

Only what a person mistypes: missing and ill-typed members, values outside an `enum`. Everything else of JSON Schema is the
server's own business; this is for tools that have no server (`poci`), where a wrong argument would end in a command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import InvalidParams

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_NOUNS: Final[Mapping[str, str]] = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def check_arguments(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Checks arguments against an object schema.

    Raises:
        InvalidParams: names the first argument that is missing, unknown where no others are allowed, or ill-typed.
    """
    properties = _mapping(schema.get("properties"))
    for name in _names(schema.get("required")):
        if name not in arguments:
            raise InvalidParams(f"The argument {name!r} is missing.")
    for name, value in arguments.items():
        if name in properties:
            _check(f"The argument {name!r}", _mapping(properties[name]), value)
        elif schema.get("additionalProperties") is False:
            known = ", ".join(sorted(properties)) or "none"
            raise InvalidParams(f"There is no argument {name!r}; known are: {known}.")


def _check(what: str, schema: Mapping[str, Any], value: Any) -> None:
    types = _names(schema.get("type"))
    if types and not any(_is_a(value, name) for name in types):
        nouns = " or ".join(_NOUNS.get(name, name) for name in types)
        raise InvalidParams(f"{what} must be {nouns}.")
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        raise InvalidParams(f"{what} must be one of: {', '.join(map(str, choices))}.")
    if isinstance(value, list):
        for position, item in enumerate(value):
            _check(f"{what}[{position}]", _mapping(schema.get("items")), item)


def _is_a(value: Any, type_name: str) -> bool:
    if isinstance(value, bool):
        return type_name == "boolean"
    if type_name == "integer" and isinstance(value, float):
        return value.is_integer()  # 1.0 is a whole number (JSON Schema 2020-12, validation, §6.1.1)
    # A type that nobody knows forbids nothing.
    return isinstance(value, _TYPES.get(type_name, (object,)))


def _names(value: Any) -> list[str]:
    """A name or a list of names; schemas come from catalogs, so nothing is taken for granted."""
    listed = value if isinstance(value, list) else [value]
    return [name for name in listed if isinstance(name, str)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
