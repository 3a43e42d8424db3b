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
_HAS_PROC: Final = (_PROC / "self/stat").exists()
# Of /proc/<pid>/stat, counted after the command: proc(5), fields 3, 5 and 22.
_STATE: Final = 0
_GROUP: Final = 2
_START: Final = 19


def process_space() -> str:
    """Names the boot and the pid namespace in which ids are valid, "" where the system has neither."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """When the process started, in the system's own words; "" where there is no such process."""
    if _HAS_PROC:
        fields = _stat(_PROC / str(pid))
        return fields[_START] if fields else ""
    # macOS has no /proc.
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()


def group_lives(group: int) -> bool:
    """Whether a process of the group still runs.

    Zombies do not count where that can be told: an orphan is one until pid 1 has waited for it, which in a container may
    be never.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not _HAS_PROC:
        return True
    return any(
        fields[_GROUP] == str(group) and fields[_STATE] != "Z"
        for fields in map(_stat, _PROC.glob("[0-9]*"))
        if fields
    )


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


def _stat(folder: Path) -> list[str]:
    """The fields of a process's stat file after its command, [] where there is no such process."""
    try:
        text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The command may hold spaces and parentheses of its own.
    return text.rpartition(")")[2].split()
