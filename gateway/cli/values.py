"""How single values of flags are read. Pure; must not know which flags there are.

Each reader raises `ArgumentTypeError` with the end of a sentence that begins with the flag's name.
"""

from __future__ import annotations

import csv
import math
import re
from argparse import ArgumentTypeError
from collections.abc import Mapping
from typing import Final

_TRUE: Final = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE: Final = frozenset({"0", "f", "false", "n", "no", "off", ""})
_HIGHEST_PORT: Final = 65535
_SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_UNITS: Final[Mapping[str, int]] = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?")


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
    if not (text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT):
        raise ArgumentTypeError(f"must be a port number from 0 to {_HIGHEST_PORT}, not {text!r}")
    return int(text)


def duration(text: str) -> float:
    """Reads seconds: `10`, `10s`, `500ms`, `2m`, `1h`."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ArgumentTypeError(f"must be a time like 10s or 2m, not {text!r}")
    return float(found[1]) * _SECONDS[found[2]]


def cpus(text: str) -> float:
    """Reads a number of processors, more than 0."""
    try:
        cpus = float(text)
    except ValueError:
        cpus = math.nan
    if not 0 < cpus < math.inf:
        raise ArgumentTypeError(f"must be a number of processors like 0.5 or 2, not {text!r}")
    return cpus


def memory(text: str) -> int:
    """Reads bytes: `512M`, `2Gb`, `1.5GiB`, `1073741824`: units are powers of 1024, as Docker reads them."""
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None or not (size := int(float(found[1]) * _UNITS[found[2]])):
        raise ArgumentTypeError(f"must be a size like 512M or 2Gb, not {text!r}")
    return size
