"""Keeps the cores awake: one spinner a core, in the scheduling class that runs only where nobody else wants to.

A core that sleeps between two messages takes long to wake up, and adds that to every hop: ratios change by a factor of three.

The class is not enough, because it counts within a control group only. The kernel makes a group of each session, the engine
one of each container, and all groups have equal shares: whoever wakes up in one of them may wait for milliseconds until the
spinners' group has had its time. So theirs is an idle one, where the system lets the harness make it.

Source: Linux, sched(7), "The autogroup feature"; admin-guide/cgroup-v2, "cpu.idle".
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_SPIN: Final = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == int(sys.argv[2]): sum(range(100_000))
"""
"""Ends by itself where the harness was killed."""


class Spinners:
    """One a core, stopped until they are wanted. `yielding`: whether they give way to all others at once."""

    def __init__(self, processes: list[subprocess.Popen[bytes]], *, yielding: bool = False) -> None:
        self.yielding = yielding
        self._processes = processes

    @contextmanager
    def spinning(self) -> Iterator[None]:
        """The cores are awake in this block."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            process.send_signal(number)


@contextmanager
def spinners() -> Iterator[Spinners]:
    """Spinners on all cores that the harness may use; gone at the end."""
    processes: list[subprocess.Popen[bytes]] = []
    group = _idle_group()
    yielding = group is not None
    try:
        for core in sorted(os.sched_getaffinity(0)):
            command = [sys.executable, "-S", "-c", _SPIN, str(core), str(os.getpid())]
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
            processes[-1].send_signal(signal.SIGSTOP)
            yielding = yielding and _joins(group, processes[-1].pid)
        yield Spinners(processes, yielding=yielding)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        if group is not None:
            with suppress(OSError):
                group.rmdir()


def _joins(group: Path | None, pid: int) -> bool:
    """Puts a process into a group; says whether that went well."""
    if group is None:
        return False
    try:
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
    except OSError:
        return False
    return True


def _idle_group() -> Path | None:
    """A control group that has the processor where nobody else wants it; None where there can be none."""
    if (root := _processor_groups()) is None:
        return None
    group = root / f"mcpgw-bench-{os.getpid()}"
    try:
        group.mkdir(exist_ok=True)
        (group / "cpu.idle").write_text("1", encoding="ascii")
    except OSError:
        with suppress(OSError):
            group.rmdir()
        return None
    return group


def _processor_groups() -> Path | None:
    """Where the control groups are that share out the processor, in either version; None where they are nowhere."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Path(folder)
        if kind == "cgroup2":
            with suppress(OSError):
                controllers = (Path(folder) / "cgroup.controllers").read_text(encoding="ascii")
                if "cpu" in controllers.split():
                    return Path(folder)
    return None
