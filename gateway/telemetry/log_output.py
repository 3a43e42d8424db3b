"""Where log lines go: a descriptor whose reader is never waited for. Must not know what a line says.

Rule 3: logging never blocks the loop. Where nobody reads stderr, lines are dropped and counted.
"""

from __future__ import annotations

import logging
import os
import select
import time
import traceback
from collections.abc import Mapping, Sequence

from gateway.limits import LOG_LINES_PER_WRITE, LOG_TRACE_CHARS
from gateway.telemetry.log_lines import Entry, LineFormat
from gateway.telemetry.redaction import redact


class Output(logging.Handler):
    """Writes lines to a descriptor, never waiting for its reader.

    Args:
        descriptor: where to.
        line_format: how a line looks.
        owned: whether the descriptor is closed with it.
        beside: told where this one cannot be written, as a file on a full disk; None where nobody could be.
    """

    def __init__(
        self,
        descriptor: int,
        line_format: LineFormat,
        *,
        owned: bool = False,
        beside: Output | None = None,
    ) -> None:
        super().__init__()
        self._beside = beside
        self._failing = False  # whether the last write failed, and that was told
        self._descriptor = descriptor
        self._format = line_format
        self._owned = owned
        self._dropped = 0  # lines lost since the last one that got through
        self._torn = False  # whether the last line lacks its end

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record, or drops it: a log that cannot be written is no reason to fail."""
        self._write_lines([self._line_of(record)])

    def write(self, entries: Sequence[Entry]) -> None:
        """Writes many entries with as few writes as a pipe takes in one piece."""
        for start in range(0, len(entries), LOG_LINES_PER_WRITE):
            self._write_lines(
                [self._line(entry) for entry in entries[start : start + LOG_LINES_PER_WRITE]]
            )

    def close(self) -> None:
        """Closes the descriptor where it is ours."""
        super().close()
        if self._owned:
            os.close(self._descriptor)

    def _line_of(self, record: logging.LogRecord) -> str:
        try:
            entry = _entry(record)
        except Exception as error:  # noqa: BLE001 -- a library's wrong format string
            return self._unprintable(record.name, error)
        return self._line(entry)

    def _line(self, entry: Entry) -> str:
        try:
            return self._format.line(entry)
        except Exception as error:  # noqa: BLE001 -- a value whose `str` fails
            return self._unprintable(entry.logger, error)

    def _unprintable(self, logger: str, error: Exception) -> str:
        fields = {"logger": logger, "error": type(error).__name__}
        return self._format.line(_note(logging.ERROR, "log_line_unprintable", fields))

    def _write_lines(self, new: Sequence[str]) -> None:
        lines = list(new)
        if self._dropped:
            lost = _note(logging.WARNING, "log_lines_lost", {"lines": self._dropped})
            lines.insert(0, self._line(lost))
        if self._torn:
            lines.insert(0, "")
        text = "".join(f"{line}\n" for line in lines)
        self._write(text.encode("utf-8", "backslashreplace"), lines=len(new))

    def _write(self, text: bytes, *, lines: int) -> None:
        rest = memoryview(text)
        try:
            while rest and select.select([], [self._descriptor], [], 0)[1]:
                # What is reported writable takes so much without blocking (POSIX, `select`).
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
            self._failing = self._failing and bool(rest)
        except OSError as error:
            self._tell_beside(error)
        self._torn = 0 < len(rest) < len(text)
        self._dropped = self._dropped + lines if rest else 0

    def _tell_beside(self, error: OSError) -> None:
        """Says once, where somebody may read it, that a file takes no more lines: a full disk tells nobody else."""
        if self._beside is not None and not self._failing:
            told = {"reason": error.strerror or str(error)}
            self._beside.write([_note(logging.WARNING, "log_file_unwritable", told)])
        self._failing = True


def _note(level: int, event: str, fields: Mapping[str, object]) -> Entry:
    """A line of our own about the log itself."""
    return Entry(time.time(), level, "log", event, fields)


def _entry(record: logging.LogRecord) -> Entry:
    """What a record says; a library's has no fields."""
    trace = ""
    if record.exc_info and record.exc_info[1] is not None:
        # An error may quote its input, which may be of any length.
        trace = redact("".join(traceback.format_exception(record.exc_info[1])), LOG_TRACE_CHARS)
    fields = getattr(record, "fields", {})
    return Entry(record.created, record.levelno, record.name, record.getMessage(), fields, trace)
