"""CPU time of a process with all its children, as Linux counts it. Must not know what the processes do."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

# Fields of /proc/<pid>/stat after the name, which ends with the last parenthesis.
_PARENT: Final = 1
_TIMES: Final = slice(11, 15)
"""utime, stime, and both of the children that ended and were waited for."""


def tree(root: int) -> dict[int, int]:
    """The process and its living descendants, with the clock ticks of CPU that each has had."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _fields(entry)):
            pid = int(entry.name)
            children[int(fields[_PARENT])].append(pid)
            ticks[pid] = sum(map(int, fields[_TIMES]))
    found: dict[int, int] = {}
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in ticks:
            found[pid] = ticks[pid]
        waiting += children[pid]
    return found


def tree_cpu_s(root: int) -> float:
    """CPU seconds of a process, its living descendants, and those of them that ended."""
    return sum(tree(root).values()) / os.sysconf("SC_CLK_TCK")


def _fields(entry: Path) -> list[str]:
    """The fields after the name; none where the process has just ended."""
    try:
        return (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
