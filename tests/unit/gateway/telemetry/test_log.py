"""Log lines: their form, their safety, and that they never block."""

from __future__ import annotations

import json
import logging
import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OptionError
from gateway.limits import LOG_VALUE_CHARS
from gateway.telemetry.log import configure, get_logger
from gateway.telemetry.log_lines import ConsoleFormat, Entry, JsonFormat
from gateway.telemetry.log_output import Output
from gateway.telemetry.redaction import redact_values

log = get_logger("test")


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    """Leaves logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("mcpgw")
    before = root.handlers[:], root.level, ours.level
    switches = ("logThreads", "logProcesses", "logMultiprocessing")
    found = {name: getattr(logging, name) for name in switches}
    yield
    for name, value in found.items():
        setattr(logging, name, value)
    for handler in [handler for handler in root.handlers if handler not in before[0]]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])
    ours.setLevel(before[2])


def console(event: str, /, **fields: object) -> str:
    """The console line of an event, without its time."""
    return ConsoleFormat().line(Entry(0.0, logging.INFO, "mcpgw.x", event, fields))[13:]


def as_json(event: str, /, **fields: object) -> dict[str, object]:
    """The JSON line of an event, read back."""
    line = JsonFormat().line(Entry(0.0, logging.INFO, "mcpgw.x", event, fields))
    assert line.isascii()
    assert "\n" not in line
    return json.loads(line)


def test_a_line_on_the_console(capfd: pytest.CaptureFixture[str]) -> None:
    """Time, level, event, fields; on stderr, and nothing on stdout."""
    configure("info")
    log.info("container_started", server="github", ms=412)
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3} info  container_started server=github ms=412\n", err
    )


def test_a_line_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    """The same as one JSON object, with its moment in UTC."""
    configure("debug", json=True)
    log.debug("container_started", server="github", ms=412)
    line = json.loads(capfd.readouterr().err)
    stamp = time.strptime(line.pop("ts"), "%Y-%m-%dT%H:%M:%S.%fZ")
    assert abs(time.mktime(stamp) - time.mktime(time.gmtime())) < 5
    assert line == {
        "level": "debug",
        "logger": "mcpgw.test",
        "event": "container_started",
        "server": "github",
        "ms": 412,
    }


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["debug", "info", "warn", "error", "error"]),
        ("info", ["info", "warn", "error", "error"]),
        ("warning", ["warn", "error", "error"]),
        ("error", ["error", "error"]),
    ],
)
def test_levels(level: str, seen: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """A level shows itself and what is graver."""
    configure(level)  # type: ignore[arg-type]  # parametrised literals
    log.debug("e")
    log.info("e")
    log.warning("e")
    log.error("e")
    log.crash("e", ValueError())
    lines = capfd.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines if not line.startswith("  ")] == seen


def test_quiet_events_are_left_to_the_file(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever reads stderr is told otherwise; the next `configure` forgets that."""
    path = tmp_path / "log"
    configure("info", log_file=str(path), quiet={"told"})
    log.warning("told")
    log.warning("untold")
    assert [line.split()[2] for line in capfd.readouterr().err.splitlines()] == ["untold"]
    assert [line.split()[2] for line in path.read_text().splitlines()] == ["told", "untold"]
    configure("info")
    log.warning("told")
    assert "told" in capfd.readouterr().err


def test_nothing_is_formatted_when_the_level_is_off() -> None:
    """A call that logs nothing does not even look at its values."""

    class Unprintable:
        def __str__(self) -> str:
            raise AssertionError

    configure("error")
    logging.getLogger("mcpgw").setLevel(logging.CRITICAL)
    for call in (log.debug, log.info, log.warning, log.error):
        call("e", value=Unprintable())
    log.crash("e", ValueError(), value=Unprintable())


def test_a_crash_shows_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    """The traceback follows on indented lines, secrets masked."""
    redact_values(["traceback-secret"])
    configure("info")
    error = ValueError("broken by traceback-secret\nforged line")
    with pytest.raises(ValueError, match="broken"):
        raise error
    log.crash("child_crashed", error, child="pool")
    first, *rest = capfd.readouterr().err.splitlines()
    assert first.endswith(
        r'child_crashed child=pool error="ValueError: broken by ***\nforged line"'
    )
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-2:] == ["    ValueError: broken by ***", "    forged line"]


def test_a_crash_in_json_is_one_line() -> None:
    """The traceback is a field."""
    line = JsonFormat().line(Entry(0.0, logging.ERROR, "x", "e", {}, "ValueError: broken\n"))
    assert json.loads(line)["traceback"] == "ValueError: broken\n"
    assert "\n" not in line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("word", "word"),
        ("two words", '"two words"'),
        ("", '""'),
        ('say "x"', r'"say \"x\""'),
        ("a=b", '"a=b"'),
        ("back\\slash", r'"back\\slash"'),
        ("line\nforged", r'"line\nforged"'),
        ("\x1b[31mred", r'"\x1b[31mred"'),
        ("\u202e\u2028\ud800", r'"\u202e\u2028\ud800"'),
        ("größe", "größe"),
        (1.23456, "1.235"),
        (float("inf"), "inf"),
        (None, "null"),
        (True, "true"),
        (ValueError("bad"), '"ValueError: bad"'),
        (Path("/tmp/x"), "/tmp/x"),
    ],
)
def test_values_on_the_console(value: object, shown: str) -> None:
    """One word stays bare, all else is quoted; nothing steers the terminal."""
    assert console("e", v=value) == f"info  e v={shown}"


@given(st.text(), st.text(), st.text(min_size=1))
def test_no_line_can_be_forged(event: str, value: str, key: str) -> None:
    """Whatever is logged: one line, no control characters, and JSON that reads back."""
    line = console(event, **{key: value})
    assert len(line.splitlines()) == 1
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", line)
    read = as_json(event, **{key: value})
    assert read["event"] == event
    assert read.get(f"{key}_", read.get(key)) == value


def test_a_field_cannot_replace_what_every_line_has() -> None:
    """A field called `level` stands beside the level."""
    assert as_json("real", level="fake")["level_"] == "fake"


def test_secrets_are_masked_in_events_and_values() -> None:
    """No registered value is shown, whatever it is wrapped in."""
    redact_values(["log-secret-value"])
    assert console("log-secret-value", v={"token": "log-secret-value"}) == (
        "info  *** v=\"{'token': '***'}\""
    )
    assert as_json("e", v="x log-secret-value")["v"] == "x ***"


def test_long_values_are_cut_after_masking() -> None:
    """A cut through a secret would show half of it."""
    redact_values(["cut-secret-value"])
    shown = as_json("e", v="x" * (LOG_VALUE_CHARS - 3) + "cut-secret-value" + "tail")["v"]
    assert shown == "x" * (LOG_VALUE_CHARS - 3) + "***" + "… (17 more)"


def test_libraries_log_from_warning_up(capfd: pytest.CaptureFixture[str]) -> None:
    """What a library logs goes the same way, masked alike."""
    redact_values(["library-secret"])
    configure("debug")
    logging.getLogger("some.library").info("not shown")
    logging.getLogger("some.library").warning("shown %s", "library-secret")
    assert capfd.readouterr().err[13:] == "warn  shown ***\n"


def test_the_log_file_gets_the_same_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`--log` copies stderr into a private file, and appends to it."""
    path = tmp_path / "log"
    for number in (1, 2):
        configure("info", log_file=str(path))
        log.info("started", number=number)
    assert path.read_text() == capfd.readouterr().err
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """The message says which file, why, and what to do."""
    with pytest.raises(OptionError, match=r"cannot write the log file .*: Is a directory; name"):
        configure("info", log_file=str(tmp_path))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe in the place of stderr: its reading end, its writing end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def output(descriptor: int) -> Output:
    """An output on that descriptor."""
    return Output(descriptor, ConsoleFormat())


def entry(event: str, **fields: object) -> Entry:
    """What a line says, at some moment."""
    return Entry(0.0, logging.INFO, "x", event, fields)


def read_lines(descriptor: int) -> list[str]:
    """All that a pipe holds, without the times."""
    text = os.read(descriptor, 1 << 20).decode()
    return [line[13:] for line in text.splitlines()]


def test_a_reader_that_does_not_read_costs_lines_not_time(pipe: tuple[int, int]) -> None:
    """With nobody reading stderr, logging goes on without blocking, and later says what was lost."""
    reader, writer = pipe
    to_pipe = output(writer)
    for _ in range(1000):
        to_pipe.write([entry("e", v="x" * 1000)])
    kept = len(read_lines(reader))
    to_pipe.write([entry("again")])
    assert read_lines(reader) == [f"warn  log_lines_lost lines={1000 - kept}", "info  again"]


def test_a_line_that_cannot_be_formatted_says_so(pipe: tuple[int, int]) -> None:
    """A wrong format string of a library costs its line, nothing else."""
    reader, writer = pipe
    output(writer).handle(logging.LogRecord("lib", 30, "", 0, "%d apples", ("many",), None))
    assert read_lines(reader) == ["error log_line_unprintable logger=lib error=TypeError"]


def test_a_line_torn_by_a_full_pipe_does_not_spoil_the_next(pipe: tuple[int, int]) -> None:
    """After half a line, the next one begins on its own."""
    reader, writer = pipe
    to_pipe = output(writer)
    while not to_pipe._torn:
        to_pipe.write([entry("e", **{str(i): "x" * 3000 for i in range(3)})])
    read_lines(reader)
    to_pipe.write([entry("again")])
    assert read_lines(reader)[1:] == ["warn  log_lines_lost lines=1", "info  again"]


def test_a_closed_stderr_is_no_error() -> None:
    """A gateway whose terminal went away goes on."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        output(writer).write([entry("e")])
    finally:
        os.close(writer)


def test_many_events_of_a_kind_are_one_write_with_their_own_times(tmp_path: Path) -> None:
    """In their order; a moment after the first is shown as such."""
    path = tmp_path / "log"
    configure("info", json=True, log_file=str(path))
    log.info_rows("call", [(0.25, {"name": "a"}), (1.5, {"name": "b"})])
    log.info("after")
    first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["ts"], first["event"], first["name"]) == ("1970-01-01T00:00:00.250Z", "call", "a")
    assert (second["ts"], second["name"]) == ("1970-01-01T00:00:01.500Z", "b")
    assert third["event"] == "after"


def test_rows_that_nobody_reads_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    """A reader that is slow loses lines, and is told how many."""
    reading, writing = os.pipe()
    output = Output(writing, ConsoleFormat(), owned=True)
    logging.getLogger().addHandler(output)
    logging.getLogger("mcpgw").setLevel("INFO")
    while os.write(writing, b"x" * 4096):
        if not select.select([], [writing], [], 0)[1]:
            break
    log.info_rows("call", [(0.0, {"number": number}) for number in range(40)])
    os.set_blocking(reading, False)
    with suppress(BlockingIOError):
        while os.read(reading, 65536):
            pass
    log.info("last")
    text = os.read(reading, 65536).decode()
    os.close(reading)
    assert "log_lines_lost lines=40" in text
    assert text.endswith("last\n")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), (True, "true"), (1, "1"), (0.5, "0.5"), (1e300, "1e+300"), ("a b", '"a b"')],
)
def test_values_on_the_console_are_json(value: object, shown: str) -> None:
    """Bare words apart."""
    assert console("x", key=value).endswith(f" key={shown}")
    assert shown == json.dumps(value)


def test_a_text_that_was_shown_before_it_was_secret_is_masked_from_then_on() -> None:
    """What is remembered of it is no longer true."""
    text = "it-became-a-secret-later"
    assert console("x", key=text) == f"info  x key={text}"
    redact_values([text])
    assert console("x", key=text) == "info  x key=***"
