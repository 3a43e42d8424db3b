"""Structured logs: an event name with keys and values, on stderr and never on stdout. Must not know what is logged.

Rule 1: no secret gets out. Registered values are masked in everything, whoever logged it.
Rule 2: no line is forged. What is logged cannot end its line, nor steer a terminal.
Rule 3: logging never blocks the loop. Where nobody reads stderr, lines are dropped and counted.
"""

from __future__ import annotations

import json as json_text
import logging
import math
import os
import re
import select
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, Literal

from gateway.errors import OptionError
from gateway.limits import LOG_TRACE_CHARS, LOG_VALUE_CHARS
from gateway.telemetry.redaction import redact, redact_values

__all__ = ["Level", "Logger", "Row", "configure", "get_logger", "redact_values"]

Level = Literal["debug", "info", "warning", "error"]
Row = tuple[float, dict[str, object]]
"""One of many events of a kind: when it was (seconds since 1970), and its fields."""

STDERR: Final = 2
"""The descriptor itself: `sys.stderr` may have been replaced, and has a buffer."""

_ROOT: Final = "mcpgw"
_MEMO_CHARS: Final = 64
_MEMO_TEXTS: Final = 512
"""Texts whose shown form is kept, each of so many characters at most: together some 100 KiB."""
_LINES_PER_WRITE: Final = 16
"""Lines that are written, or lost, together: some 2 KiB, which a pipe takes in one piece or not at all."""
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


class Logger:
    """Logs events of one part of the gateway: `log.info("container_started", server=name, ms=412)`.

    Values may be anything that has a `str`. A call whose level is off costs one look at it.
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **fields: object) -> None:
        """For who looks into one problem: the only level that may show arguments and results."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._emit(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """What an operator wants to see on a good day."""
        if self._logger.isEnabledFor(logging.INFO):
            self._emit(logging.INFO, event, fields)

    @property
    def shows_info(self) -> bool:
        """Whether `info` does anything."""
        return self._logger.isEnabledFor(logging.INFO)

    def info_rows(self, event: str, rows: Iterable[Row]) -> None:
        """Many events of a kind, which were some time ago, with one write."""
        outputs = _outputs()
        for output in outputs:
            output.hold()
        for created, fields in rows:
            self._logger.handle(_record(self._logger.name, logging.INFO, event, fields, at=created))
        for output in outputs:
            output.release_held()

    def warning(self, event: str, /, **fields: object) -> None:
        """Something is not as it should be; the gateway copes."""
        if self._logger.isEnabledFor(logging.WARNING):
            self._emit(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Something failed, and somebody should look."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._emit(logging.ERROR, event, fields)

    def crash(self, event: str, error: BaseException, /, **fields: object) -> None:
        """An error nobody expected: like `error`, with its traceback."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._emit(logging.ERROR, event, {**fields, "error": error}, error)

    def _emit(
        self, level: int, event: str, fields: dict[str, object], error: BaseException | None = None
    ) -> None:
        self._logger.handle(_record(self._logger.name, level, event, fields, error))


def _outputs() -> list[_Output]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Output)]


def get_logger(part: str) -> Logger:
    """The logger of one part of the gateway, e.g. "pool"."""
    return Logger(logging.getLogger(f"{_ROOT}.{part}"))


def configure(level: Level, *, json: bool = False, log_file: str = "") -> None:
    """Sends all logs, those of libraries from WARNING up, to stderr, and to `log_file` as well where one is named.

    Replaces what an earlier call set up.

    Raises:
        OptionError: the file cannot be opened.
    """
    outputs = [_Output(STDERR)]
    if log_file:
        outputs.append(_Output(_open_log(log_file), owned=True))
    formatter = JsonFormatter() if json else ConsoleFormatter()
    root = logging.getLogger()
    for handler in _outputs():
        root.removeHandler(handler)
        handler.close()
    for output in outputs:
        output.setFormatter(formatter)
        root.addHandler(output)
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(level.upper())
    # Nobody is shown who logs; to find it out costs as much as all the rest of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class ConsoleFormatter(logging.Formatter):
    """For people: `12:00:01.123 info  container_started server=github ms=412`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on indented lines of its own."""
        clock = _clock(int(record.created))
        line = f"{clock}.{int(record.msecs):03} {_NAMES.get(record.levelno, 'info'):5} {_escape(_event(record))}"
        for key, value in _fields(record).items():
            line += f" {_escape(key)}={_shown(value)}"
        for row in _traceback(record).splitlines():
            line += f"\n    {_escape(row)}"
        return line


class JsonFormatter(logging.Formatter):
    """For machines: one JSON object a line, in ASCII, with `ts`, `level`, `logger`, `event` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line. A field that is called like one of the four stays, under its name with a `_` behind it."""
        seconds = _date(int(record.created))
        line: dict[str, object] = {
            "ts": f"{seconds}.{int(record.msecs):03}Z",
            "level": _NAMES.get(record.levelno, "info"),
            "logger": record.name,
            "event": _event(record),
        }
        for key, value in _fields(record).items():
            line[f"{key}_" if key in line else key] = value
        if trace := _traceback(record):
            line["traceback"] = trace
        return json_text.dumps(line, ensure_ascii=True)


@lru_cache(maxsize=1)
def _clock(second: int) -> str:
    """A second since 1970 as the local time of day; most lines are of the same one as the line before."""
    return time.strftime("%H:%M:%S", time.localtime(second))


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """The same with its date, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _record(
    name: str,
    level: int,
    event: str,
    fields: dict[str, Any],
    error: BaseException | None = None,
    *,
    at: float | None = None,
) -> logging.LogRecord:
    """Built by hand: `Logger.log` walks the stack to find its caller, which nobody is shown."""
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, level, "", 0, event, None, info)
    record.fields = fields
    if at is not None:
        record.created, record.msecs = at, at % 1 * 1000
    return record


def _event(record: logging.LogRecord) -> str:
    return _text(record.getMessage())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The record's fields, ready to be shown; a library's record has none."""
    return {key: _value(value) for key, value in getattr(record, "fields", {}).items()}


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
    """A text that needs no cutting, masked. Names of tools and clients come again with each call."""
    return redact(text)


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    # An error may quote its input, which may be of any length.
    trace = "".join(traceback.format_exception(record.exc_info[1]))
    return redact(trace, LOG_TRACE_CHARS)


def _shown(value: bool | float | str | None) -> str:  # noqa: FBT001 -- a field's value
    """A field's value on the console."""
    if not isinstance(value, str):
        return _plain(value)
    return _word(value) if len(value) <= _MEMO_CHARS else _quote(value)


def _plain(value: float | None) -> str:
    """A number, truth value or None as JSON has it."""
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    return repr(value)


@lru_cache(maxsize=_MEMO_TEXTS)
def _word(text: str) -> str:
    """`_quote` for short texts."""
    return _quote(text)


def _escape(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return _UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def _quote(text: str) -> str:
    """The bare text where it is one word, else in double quotes with backslashes."""
    if _PLAIN.fullmatch(text) or not (_NEEDS_QUOTES.search(text) or _UNSAFE.search(text)):
        return text
    return '"' + _escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _open_log(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OptionError(
            f"cannot write the log file {path}: {error.strerror}; name another one with --log"
        ) from error


class _Output(logging.Handler):
    """Writes lines to a descriptor, never waiting for its reader."""

    def __init__(self, descriptor: int, *, owned: bool = False) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._owned = owned  # whether to close it
        self._dropped = 0  # lines lost since the last one that got through
        self._torn = False  # whether the last line lacks its end
        self._held: list[str] | None = (
            None  # lines to be written together; None where each is written at once
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record, or drops it: a log that cannot be written is no reason to fail."""
        line = self._line(record)
        if self._held is None:
            self._write_lines([line])
        else:
            self._held.append(line)

    def hold(self) -> None:
        """Keeps lines back until `release_held`."""
        self._held = []

    def release_held(self) -> None:
        """Writes the lines that were kept back."""
        held, self._held = self._held, None
        for start in range(0, len(held or ()), _LINES_PER_WRITE):
            self._write_lines((held or [])[start : start + _LINES_PER_WRITE])

    def _write_lines(self, new: list[str]) -> None:
        lines = new.copy()
        if self._dropped:
            lost = _record("log", logging.WARNING, "log_lines_lost", {"lines": self._dropped})
            lines.insert(0, self._line(lost))
        if self._torn:
            lines.insert(0, "")
        text = "".join(f"{line}\n" for line in lines)
        self._write(text.encode("utf-8", "backslashreplace"), lines=len(new))

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # noqa: BLE001 — a value whose `str` fails, a library's wrong format string
            fields = {"logger": record.name, "error": type(error).__name__}
            return self.format(_record("log", logging.ERROR, "log_line_unprintable", fields))

    def _write(self, text: bytes, *, lines: int) -> None:
        rest = memoryview(text)
        with suppress(OSError):
            while rest and select.select([], [self._descriptor], [], 0)[1]:
                # What is reported writable takes so much without blocking (POSIX, `select`).
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        self._torn = 0 < len(rest) < len(text)
        self._dropped = self._dropped + lines if rest else 0

    def close(self) -> None:
        """Closes the descriptor where it is ours."""
        super().close()
        if self._owned:
            os.close(self._descriptor)
