"""Typed access to the fields of a document's tables. Must not know which fields there are.

Missing, null and empty are the same: the field's default. A wrong type is a `CatalogError` that names the field;
text fields take any scalar as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.catalog.document import plain_value
from gateway.errors import CatalogError
from gateway.limits import MIN_CONTAINER_MEMORY_BYTES

_MEMORY: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-zA-Z]*)")
_CPUS: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})(m?)")
_MEMORY_UNITS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_NUMBER_END: Final = 10**12  # more than any count, and any time in seconds
_MEMORY_END: Final = 2**63  # what the engine's API can carry
_MILLICORES: Final = 1000

Fields = Mapping[str, Any]


def text(fields: Fields, key: str, default: str = "") -> str:
    """A scalar as it was written."""
    value = fields.get(key)
    if plain_value(value) is None:
        return default
    return scalar_text(value, key)


def scalar_text(value: object, what: str) -> str:
    """The text of one scalar.

    Raises:
        CatalogError: it is a list or a mapping, or holds a NUL.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise CatalogError(f"`{what}` holds a NUL character")
        return str(value)
    if isinstance(value, bool | int | float):
        return msgspec.json.encode(value).decode()
    raise CatalogError(f"`{what}` must be text")


def flag(fields: Fields, key: str) -> bool:
    """A boolean; also from quoted `"true"` and `"false"`."""
    value = plain_value(fields.get(key))
    if value in (None, "", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise CatalogError(f"`{key}` must be true or false")


def flag_or_none(fields: Fields, key: str) -> bool | None:
    """A boolean; None where absent."""
    return None if plain_value(fields.get(key)) in (None, "") else flag(fields, key)


def whole(fields: Fields, key: str, minimum: int) -> int | None:
    """A whole number, at least `minimum`; None where absent."""
    value = _number(fields, key)
    if value is None:
        return None
    if value != int(value) or value < minimum:
        raise CatalogError(f"`{key}` must be a whole number, at least {minimum}")
    return int(value)


def seconds(fields: Fields, key: str, *, positive: bool) -> float | None:
    """A duration in seconds; None where absent."""
    value = _number(fields, key)
    if value is None:
        return None
    if value < 0 or (positive and value == 0):
        raise CatalogError(
            f"`{key}` must be a number of seconds{', more than 0' if positive else ''}"
        )
    return float(value)


def listing(fields: Fields, key: str) -> list[Any]:
    """A list; empty where absent."""
    value = fields.get(key)
    if isinstance(value, list):
        return value
    if plain_value(value) is None or value == "":
        return []
    raise CatalogError(f"`{key}` must be a list")


def texts(fields: Fields, key: str) -> tuple[str, ...]:
    """A list of scalars as they were written."""
    return tuple(scalar_text(item, key) for item in listing(fields, key))


def table(fields: Fields, key: str) -> Fields:
    """A mapping; empty where absent."""
    value = fields.get(key)
    if isinstance(value, dict):
        return value
    if plain_value(value) is None or value == "":
        return {}
    raise CatalogError(f"`{key}` must be a mapping")


def tables(fields: Fields, key: str) -> list[Fields]:
    """A list of mappings; one bare mapping counts as a list of it."""
    value = fields.get(key)
    items = [value] if isinstance(value, dict) else listing(fields, key)
    for item in items:
        if not isinstance(item, dict):
            raise CatalogError(f"`{key}` must be a list of mappings")
    return items


def text_table(fields: Fields, key: str) -> dict[str, str]:
    """A mapping of names to scalars as they were written; null is empty text."""
    pairs = table(fields, key)
    return {name: text(pairs, name) for name in pairs}


def memory(fields: Fields, key: str) -> int | None:
    """Bytes of `"512M"`, `"2Gb"`, `"1.5GiB"` or a bare number; None where absent."""
    written = text(fields, key)
    return parse_memory(written) if written else None


def cpus(fields: Fields, key: str) -> float | None:
    """Processors of `"0.5"`, `"500m"` or a number; None where absent."""
    written = text(fields, key)
    return parse_cpus(written) if written else None


def parse_memory(written: str) -> int:
    """Bytes of an amount of memory; units are powers of 1024, as the engine reads them.

    Raises:
        CatalogError: not an amount of memory, or less than the engine accepts.
    """
    match = _MEMORY.fullmatch(written.strip())
    unit = match[2].lower().removesuffix("b").removesuffix("i") if match else None
    if match is None or unit not in _MEMORY_UNITS:
        raise CatalogError(f'{written!r} is not an amount of memory: write "512M" or "2Gb"')
    amount = float(match[1]) * 1024 ** _MEMORY_UNITS[unit]
    if not MIN_CONTAINER_MEMORY_BYTES <= amount < _MEMORY_END:
        raise CatalogError(
            f"{written!r} is not an amount of memory that an engine accepts (6M or more)"
        )
    return int(amount)


def parse_cpus(written: str) -> float:
    """Processors of `"0.5"` or `"500m"`.

    Raises:
        CatalogError: not a positive number.
    """
    match = _CPUS.fullmatch(written.strip())
    amount = float(match[1]) / (_MILLICORES if match[2] else 1) if match else 0.0
    if amount <= 0:
        raise CatalogError(f'{written!r} is not a number of processors: write "0.5" or "2"')
    return amount


def _number(fields: Fields, key: str) -> int | float | None:
    value = plain_value(fields.get(key))
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogError(f"`{key}` must be a number")
    # An integer may be too long for what follows, which multiplies and adds.
    if not -_NUMBER_END < value < _NUMBER_END:
        raise CatalogError(f"`{key}` must be a number of a sensible size")
    return value
