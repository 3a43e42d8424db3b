"""What a log line looks like, for people and for machines. Pure but for the time zone; must not know where it goes.

Rule 1: no secret gets out. Registered values are masked in everything, whoever logged it.
Rule 2: no line is forged. What is logged cannot end its line, nor steer a terminal.
"""

from __future__ import annotations

import json as json_text
import logging
import math
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

import msgspec

from gateway.limits import LOG_VALUE_CHARS
from gateway.telemetry.redaction import redact

_MEMO_CHARS: Final = 64
_MEMO_TEXTS: Final = 512
"""Texts whose shown form is kept, each of so many characters at most: together some 100 KiB."""
_NAMES: Final = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warn",
    logging.ERROR: "error",
    logging.CRITICAL: "error",
}
# C0 and C1 controls, line and paragraph separators, direction overrides, lone surrogates.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NEEDS_QUOTES: Final = re.compile(r'[\s"=\\]|^$')
# ASCII that is shown as it is: what most values are made of, and cheaper to find out than that nothing is wrong.
_PLAIN: Final = re.compile(r"[!#-<>-\[\]-~]+")
_CONSTANTS: Final = {None: "null", True: "true", False: "false"}


class Entry(msgspec.Struct, frozen=True):
    """What one line says. `at`: seconds since 1970. `trace`: a traceback, "" where there is none."""

    at: float
    level: int
    logger: str
    event: str
    fields: Mapping[str, Any]
    trace: str = ""


class LineFormat(Protocol):
    """How an entry is written."""

    def line(self, entry: Entry) -> str:
        """One line, or more where there is a traceback; without its end."""


class ConsoleFormat:
    """For people: `12:00:01.123 info  container_started server=github ms=412`."""

    def line(self, entry: Entry) -> str:
        """One line; a traceback follows on indented lines of its own."""
        second, generation = int(entry.at), redact.generation
        line = f"{_clock(second)}.{int((entry.at - second) * 1000):03}"
        if len(entry.event) <= _MEMO_CHARS:
            line += _short_event(entry.level, entry.event, generation)
        else:
            line += _event(entry.level, entry.event)
        for key, value in entry.fields.items():
            if isinstance(value, str) and len(value) <= _MEMO_CHARS:
                line += _short_field(key, value, generation)
            elif isinstance(value, float):
                line += f" {_escape(key)}={round(value, 3)!r}"
            else:
                line += f" {_escape(key)}={_shown(_value(value))}"
        for row in entry.trace.splitlines():
            line += f"\n    {_escape(row)}"
        return line


class JsonFormat:
    """For machines: one JSON object a line, in ASCII, with `ts`, `level`, `logger`, `event` and the fields."""

    def line(self, entry: Entry) -> str:
        """One line. A field that is called like one of the four stays, under its name with a `_` behind it."""
        second = int(entry.at)
        line: dict[str, object] = {
            "ts": f"{_date(second)}.{int((entry.at - second) * 1000):03}Z",
            "level": _NAMES.get(entry.level, "info"),
            "logger": entry.logger,
            "event": _text(entry.event),
        }
        for key, value in entry.fields.items():
            line[f"{key}_" if key in line else key] = _value(value)
        if entry.trace:
            line["traceback"] = entry.trace
        return json_text.dumps(line, ensure_ascii=True)


def _event(level: int, event: str) -> str:
    """The level and the event on the console, with the blank before them."""
    return f" {_NAMES.get(level, 'info'):5} {_escape(_text(event))}"


@lru_cache(maxsize=_MEMO_TEXTS)
def _short_event(level: int, event: str, generation: int) -> str:  # noqa: ARG001 -- as in `_short`
    """The same for a short event, as ours are: those of other programs may be of any length."""
    return _event(level, event)


@lru_cache(maxsize=_MEMO_TEXTS)
def _short_field(key: str, text: str, generation: int) -> str:
    """A field on the console, with the blank before it: names of tools and clients come again with each call."""
    return f" {_escape(key)}={_quote(_short(text, generation))}"


@lru_cache(maxsize=1)
def _clock(second: int) -> str:
    """A second since 1970 as the local time of day; most lines are of the same one as the line before."""
    return time.strftime("%H:%M:%S", time.localtime(second))


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """The same with its date, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _value(value: object) -> bool | int | float | str | None:
    """Numbers, truth values and None as they are, all else as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return round(value, 3)
    if isinstance(value, BaseException):
        return _text(f"{type(value).__name__}: {value}")
    return _text(str(value))


def _text(text: str) -> str:
    """Masked and cut."""
    if len(text) <= _MEMO_CHARS:
        return _short(text, redact.generation)
    shown = redact(text, LOG_VALUE_CHARS)
    if len(text) <= LOG_VALUE_CHARS:
        return shown
    return f"{shown}… ({len(text) - LOG_VALUE_CHARS} more)"


@lru_cache(maxsize=_MEMO_TEXTS)
def _short(text: str, generation: int) -> str:  # noqa: ARG001 -- a new generation is another entry
    """A text that needs no cutting, masked."""
    return redact(text)


def _shown(value: bool | float | str | None) -> str:  # noqa: FBT001 -- a field's value
    """A field's value on the console."""
    if not isinstance(value, str):
        return _plain(value)
    return _quote(value)


def _plain(value: float | None) -> str:
    """A number, truth value or None as JSON has it."""
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    return repr(value)


def _escape(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return _UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def _quote(text: str) -> str:
    """The bare text where it is one word, else in double quotes with backslashes."""
    if _PLAIN.fullmatch(text) or not (_NEEDS_QUOTES.search(text) or _UNSAFE.search(text)):
        return text
    return '"' + _escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
