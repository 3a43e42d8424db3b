"""gateway/telemetry/log_output.py: a log file on a full disk. What pipes do is in test_log.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.telemetry.log import configure, get_logger

log = get_logger("test")


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    """Leaves no file behind as a log."""
    yield
    configure("warning")


def test_a_full_disk_is_told_once_on_stderr(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The device of the kernel that is always full; all lines are on stderr as well."""
    configure("info", log_file="/dev/full")
    for number in range(3):
        log.info("event", number=number)
    said = capfd.readouterr().err.splitlines()
    assert sum("event" in line for line in said) == 3
    (told,) = (line for line in said if "log_file_unwritable" in line)
    assert os.strerror(28) in told


def test_after_a_full_disk_the_lost_lines_are_counted(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In the file, as soon as there is room; the next full disk is told anew."""
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    configure("info", log_file=str(path))
    output = next(one for one in log._logger.root.handlers if getattr(one, "_owned", False))
    log.info("first")
    room = os.open(tmp_path / "room", os.O_WRONLY | os.O_CREAT)
    full, output._descriptor = output._descriptor, room  # type: ignore[attr-defined]
    log.info("second")
    assert [line.split()[2] for line in (tmp_path / "room").read_text().splitlines()] == [
        "log_lines_lost",
        "second",
    ]
    output._descriptor = full  # type: ignore[attr-defined] # of ours
    log.info("third")
    os.close(room)
    assert capfd.readouterr().err.count("log_file_unwritable") == 2
