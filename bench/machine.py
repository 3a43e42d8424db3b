"""The machine a run was taken on, in general terms: neither its name nor a path of it."""

from __future__ import annotations

import os
import platform
import re
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


def describe_machine(engine: str) -> Machine:
    """This machine.

    Args:
        engine: name and version of the container engine.
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
    )


def _line(path: str, pattern: str) -> str:
    """The first match in a file of the system; "" where there is none."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else ""
