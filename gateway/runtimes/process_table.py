"""Looks at and signals processes that may no longer be who they were. Must not know servers.

A process id alone proves nothing: ids are used again. Id and start time together name one process of one boot.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_START_FIELD: Final = 19
"""Of /proc/<pid>/stat, counted after the command's closing parenthesis: "starttime" (proc(5), field 22)."""


def process_space() -> str:
    """Names the boot and the pid namespace in which ids are valid, "" where the system has neither."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """When the process started, in the system's own words; "" where there is no such process."""
    if (_PROC / "self/stat").exists():
        try:
            stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[_START_FIELD]
    # macOS has no /proc.
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()


def group_exists(group: int) -> bool:
    """Whether any process, a zombie included, is left in the group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def signal_group(group: int, number: signal.Signals) -> None:
    """Sends a signal to all of a group; fine if it is gone, or has changed its user."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def process_exists(pid: int) -> bool:
    """Whether some process, a zombie included, has this id now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
