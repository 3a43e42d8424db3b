"""Keeps the cores awake: one spinner a core, in the scheduling class that runs only where nobody else wants to.

A core that sleeps between two messages takes long to wake up, and adds that to every hop: ratios change by a factor of three.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SPIN: Final = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == int(sys.argv[2]): sum(range(100_000))
"""
"""Ends by itself where the harness was killed."""


class Spinners:
    """One a core, stopped until they are wanted."""

    def __init__(self, processes: list[subprocess.Popen[bytes]]) -> None:
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
    try:
        for core in sorted(os.sched_getaffinity(0)):
            command = [sys.executable, "-S", "-c", _SPIN, str(core), str(os.getpid())]
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
            processes[-1].send_signal(signal.SIGSTOP)
        yield Spinners(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
