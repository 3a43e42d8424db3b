"""The machine a run was taken on, in general terms: neither its name nor a path of it."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path
from typing import Final

import msgspec

_GIB: Final = 1024**3


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What matters to compare runs."""

    cpu: str
    cores: int
    memory_gib: int
    system: str
    kernel: str
    python: str
    engine: str
    busy: float | None = None
    """The share of all cores that other programs had, before the run and after it: the higher of the two.

    None where nobody looked."""


def describe_machine(engine: str, busy: float) -> Machine:
    """This machine.

    Args:
        engine: name and version of the container engine.
        busy: what other programs take of it.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cpu=_line("/proc/cpuinfo", r"^model name\s*:\s*(.+)$") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / _GIB),
        system=_line("/etc/os-release", r'^PRETTY_NAME="?([^"\n]+)') or platform.system(),
        kernel=".".join(platform.release().split(".")[:2]),
        python=platform.python_version(),
        engine=engine,
        busy=round(busy, 3),
    )


def busy_share(seconds: float) -> float:
    """The share of all cores that programs have in the next seconds; the caller sleeps meanwhile."""
    before = _ticks()
    time.sleep(seconds)
    idle, total = (after - earlier for after, earlier in zip(_ticks(), before, strict=True))
    return 1 - idle / total if total else 0.0


def _ticks() -> tuple[int, int]:
    """Clock ticks of all cores: idle, and in all. Source: proc_stat(5), the line `cpu`; guests are part of user."""
    values = [*map(int, _line("/proc/stat", r"^cpu +(.+)$").split())][:8]
    return sum(values[3:5]), sum(values)


def _line(path: str, pattern: str) -> str:
    """The first match in a file of the system; "" where there is none."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else ""
