"""Structured logs: an event name with keys and values, on stderr and never on stdout. Must not know what is logged.

What lines look like is `log_lines`, how they are written `log_output`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

from gateway.errors import OptionError
from gateway.telemetry.log_lines import ConsoleFormat, Entry, JsonFormat
from gateway.telemetry.log_output import Output
from gateway.telemetry.redaction import redact_values

__all__ = ["Level", "Logger", "Row", "configure", "get_logger", "redact_values"]

Level = Literal["debug", "info", "warning", "error"]
Row = tuple[float, dict[str, object]]
"""One of many events of a kind: when it was (seconds since 1970), and its fields."""

STDERR: Final = 2
"""The descriptor itself: `sys.stderr` may have been replaced, and has a buffer."""

_ROOT: Final = "mcpgw"


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

    def info_rows(self, event: str, rows: Sequence[Row]) -> None:
        """Many events of a kind, which were some time ago, with one write. They pass by the handlers of other programs."""
        entries = [Entry(at, logging.INFO, self._logger.name, event, fields) for at, fields in rows]
        for output in _outputs():
            output.write(entries)

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


def _outputs() -> list[Output]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, Output)]


def get_logger(part: str) -> Logger:
    """The logger of one part of the gateway, e.g. "pool"."""
    return Logger(logging.getLogger(f"{_ROOT}.{part}"))


def configure(
    level: Level, *, json: bool = False, log_file: str = "", quiet: Collection[str] = ()
) -> None:
    """Sends all logs, those of libraries from WARNING up, to stderr, and to `log_file` as well where one is named.

    Replaces what an earlier call set up. Events in `quiet` are not shown on stderr: whoever reads that is told otherwise.

    Raises:
        OptionError: the file cannot be opened.
    """
    line_format = JsonFormat() if json else ConsoleFormat()
    outputs = [Output(STDERR, line_format)]
    if quiet:
        outputs[0].addFilter(lambda record: record.msg not in quiet)
    if log_file:
        outputs.append(Output(_open_log(log_file), line_format, owned=True, beside=outputs[0]))
    root = logging.getLogger()
    for handler in _outputs():
        root.removeHandler(handler)
        handler.close()
    for output in outputs:
        root.addHandler(output)
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(level.upper())
    # Nobody is shown who logs; to find it out costs as much as all the rest of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _record(
    name: str,
    level: int,
    event: str,
    fields: dict[str, Any],
    error: BaseException | None = None,
) -> logging.LogRecord:
    """Built by hand: `Logger.log` walks the stack to find its caller, which nobody is shown."""
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, level, "", 0, event, None, info)
    record.fields = fields
    return record


def _open_log(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OptionError(
            f"cannot write the log file {path}: {error.strerror}; name another one with --log"
        ) from error
