"""Structured logs: an event name with keys and values, on stderr and never on stdout. Must not know what is logged.

Rule 1: no secret gets out. Registered values are masked in everything, whoever logged it.
Rule 2: no line is forged. What is logged cannot end its line, nor steer a terminal.
Rule 3: logging never blocks the loop. Where nobody reads stderr, lines are dropped and counted.
"""

from __future__ import annotations

import json as json_text
import logging
import os
import re
import select
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, Literal

from gateway.limits import LOG_VALUE_CHARS, MIN_SECRET_CHARS

Level = Literal["debug", "info", "warning", "error"]

STDERR: Final = 2
"""The descriptor itself: `sys.stderr` may have been replaced, and has a buffer."""

_ROOT: Final = "mcpgw"
_MASK: Final = "***"
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
_PIPE_BUF: Final = 4096
"""Bytes that a pipe which reports room takes without blocking (Linux; POSIX: at least 512)."""


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
        # Built here and not by `Logger.log`, which walks the stack to find its caller.
        info = None if error is None else (type(error), error, error.__traceback__)
        record = logging.LogRecord(self._logger.name, level, "", 0, event, None, info)
        record.fields = fields
        self._logger.handle(record)


def get_logger(part: str) -> Logger:
    """The logger of one part of the gateway, e.g. "pool"."""
    return Logger(logging.getLogger(f"{_ROOT}.{part}"))


def configure(level: Level, *, json: bool = False, log_file: str = "") -> None:
    """Sends all logs, those of libraries from WARNING up, to stderr, and to `log_file` as well where one is named.

    Replaces what an earlier call set up.

    Raises:
        OSError: the file cannot be opened.
    """
    outputs = [_Output(STDERR)]
    if log_file:
        outputs.append(_Output(_open_log(log_file), owned=True))
    formatter = JsonFormatter() if json else ConsoleFormatter()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Output)]:
        root.removeHandler(handler)
        handler.close()
    for output in outputs:
        output.setFormatter(formatter)
        root.addHandler(output)
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(level.upper())


def redact_values(values: Iterable[str]) -> None:
    """From now on masks these values in every line. Values are only ever added: old secrets stay secret.

    Values of less than `limits.MIN_SECRET_CHARS` are left alone: masking "1" or "dev" would hide the logs, not the secret.
    """
    _redaction.add(values)


class _Redaction:
    """The secret values, and their removal from texts."""

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()

    def add(self, values: Iterable[str]) -> None:
        self._values |= {value for value in values if len(value) >= MIN_SECRET_CHARS}

    def __call__(self, text: str) -> str:
        """`text` with every occurrence masked; overlapping ones as one, so that no rest of the longer is left."""
        spans = sorted(span for value in self._values for span in _occurrences(value, text))
        kept, position = "", 0
        for start, end in spans:
            if start >= position:
                kept += text[position:start] + _MASK
            position = max(position, end)
        return kept + text[position:]


def _occurrences(value: str, text: str) -> list[tuple[int, int]]:
    found, start = [], text.find(value)
    while start >= 0:
        found.append((start, start + len(value)))
        start = text.find(value, start + 1)
    return found


_redaction: Final = _Redaction()


class ConsoleFormatter(logging.Formatter):
    """For people: `12:00:01.123 info  container_started server=github ms=412`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on indented lines of its own."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = f"{clock}.{int(record.msecs):03} {_NAMES.get(record.levelno, 'info'):5} {_escape(_event(record))}"
        for key, value in _fields(record).items():
            line += f" {_escape(key)}={_quote(value) if isinstance(value, str) else _plain(value)}"
        for row in _traceback(record).splitlines():
            line += f"\n    {_escape(row)}"
        return line


class JsonFormatter(logging.Formatter):
    """For machines: one JSON object a line, in ASCII, with `ts`, `level`, `logger`, `event` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line. A field that is called like one of the four stays, under its name with a `_` behind it."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
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


def _event(record: logging.LogRecord) -> str:
    return _redaction(record.getMessage())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The record's fields, ready to be shown; a library's record has none."""
    return {key: _value(value) for key, value in getattr(record, "fields", {}).items()}


def _value(value: object) -> object:
    """Numbers, truth values and None as they are, all else as text: masked, then cut, so that no half secret is left."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {value}"
    text = _redaction(str(value))
    if len(text) > LOG_VALUE_CHARS:
        return f"{text[:LOG_VALUE_CHARS]}… ({len(text) - LOG_VALUE_CHARS} more)"
    return text


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return _redaction("".join(traceback.format_exception(record.exc_info[1])))


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def _quote(text: str) -> str:
    """The bare text where it is one word, else in double quotes with backslashes."""
    if not _NEEDS_QUOTES.search(text):
        return _escape(text)
    return '"' + _escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _plain(value: object) -> str:
    return json_text.dumps(value)


def _open_log(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


class _Output(logging.Handler):
    """Writes lines to a descriptor, never waiting for its reader."""

    def __init__(self, descriptor: int, *, owned: bool = False) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._owned = owned  # whether to close it
        self._dropped = 0  # lines lost since the last one that got through
        self._torn = False  # whether the last line lacks its end

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record, or drops it: a log that cannot be written is no reason to fail."""
        line = self.format(record) + "\n"
        if self._dropped:
            line = f"({self._dropped} lines lost: nobody read them)\n{line}"
        if self._torn:
            line = f"\n{line}"
        with suppress(OSError):
            self._write(line.encode("utf-8", "backslashreplace"))

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest and select.select([], [self._descriptor], [], 0)[1]:
            rest = rest[os.write(self._descriptor, rest[:_PIPE_BUF]) :]
        self._torn = 0 < len(rest) < len(line)
        self._dropped = self._dropped + 1 if rest else 0

    def close(self) -> None:
        """Closes the descriptor where it is ours."""
        super().close()
        if self._owned:
            os.close(self._descriptor)
