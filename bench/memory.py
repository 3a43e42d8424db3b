"""Memory of a process with all its children, as Linux counts it. Must not know what the processes do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from bench.cpu import tree

_KIB: Final = 1024


class Memory(msgspec.Struct, frozen=True):
    """Bytes of a process and its descendants."""

    resident: int
    """RSS: pages that they have in memory; what several share counts for each."""
    proportional: int
    """PSS: what several share is divided among them."""
    peak: int
    """The most that was resident since `forget_peak`."""


def tree_memory(root: int) -> Memory:
    """The memory of a process and its living descendants."""
    found = [_memory(pid) for pid in tree(root)]
    return Memory(
        sum(memory.resident for memory in found),
        sum(memory.proportional for memory in found),
        sum(memory.peak for memory in found),
    )


def forget_peak(root: int) -> None:
    """From here on, `peak` is the most that was resident since now."""
    for pid in tree(root):
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _memory(pid: int) -> Memory:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return Memory(0, 0, 0)
    return Memory(kib(status, "VmRSS"), kib(rollup, "Pss"), kib(status, "VmHWM"))


def kib(text: str, field: str) -> int:
    """The bytes that a line `Field: N kB` says; 0 where there is none (a kernel thread, a zombie)."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * _KIB if found else 0
