"""How single values of flags are read. Pure; must not know which flags there are.

Each reader raises `ArgumentTypeError` with the end of a sentence that begins with the flag's name.
"""

from __future__ import annotations

import csv
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from typing import Final

from gateway.errors import CatalogError

_TRUE: Final = frozenset({"1", "t", "true", "y", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})
_FALSE: Final = frozenset({"0", "f", "false", "n", "no", "off", ""})
_HIGHEST_PORT: Final = 65535
_PORT: Final = re.compile(r"[0-9]{1,5}")
_SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")


def debug_set(environ: Mapping[str, str]) -> bool:
    """Whether DEBUG asks for details: it is set to anything that is not a no."""
    return environ.get("DEBUG", "").strip().lower() not in _NO


def truth(text: str) -> bool:
    """Reads a switch's value.

    Raises:
        ArgumentTypeError: it is neither true nor false.
    """
    match text.strip().lower():
        case word if word in _TRUE:
            return True
        case word if word in _FALSE:
            return False
        case _:
            raise ArgumentTypeError(f"must be true or false, not {text!r}")


def comma_list(text: str) -> list[str]:
    """Splits at commas; double quotes protect one. Empty items are dropped."""
    try:
        rows = list(csv.reader([text], skipinitialspace=True))
    except csv.Error as error:
        raise ArgumentTypeError(f"must be a list with commas, not {text!r}") from error
    return [item.strip() for row in rows for item in row if item.strip()]


def port(text: str) -> int:
    """Reads a port number; 0 stands for any free one."""
    if not (_PORT.fullmatch(text) and int(text) <= _HIGHEST_PORT):
        raise ArgumentTypeError(f"must be a port number from 0 to {_HIGHEST_PORT}, not {text!r}")
    return int(text)


def duration(text: str) -> float:
    """Reads seconds: `10`, `10s`, `500ms`, `2m`, `1h`."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ArgumentTypeError(f"must be a time like 10s or 2m, not {text!r}")
    return float(found[1]) * _SECONDS[found[2]]


def cpus(text: str) -> float:
    """Reads a number of processors, as catalogs write it."""
    return _as_in_catalogs("parse_cpus", text)


def memory(text: str) -> int:
    """Reads an amount of memory in bytes, as catalogs write it: `512M`, `2Gb`; units are powers of 1024."""
    return int(_as_in_catalogs("parse_memory", text))


def _as_in_catalogs(reader: str, text: str) -> float:
    """Reads a value with the reader of catalog fields."""
    # lazy: few runs have such a flag
    from gateway.catalog import fields  # noqa: PLC0415 - see above

    read: Callable[[str], float] = getattr(fields, reader)
    try:
        return read(text)
    except CatalogError as error:
        raise ArgumentTypeError(str(error)) from error
