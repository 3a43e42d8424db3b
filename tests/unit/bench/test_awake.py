"""The spinners that keep cores awake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.awake import Spinners, _processor_groups, spinners
from bench.cpu import tree_cpu_s

_SCHED_IDLE = 5


def _policy(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[38])


@pytest.mark.slow
def test_one_spins_on_each_core_and_only_when_wanted() -> None:
    """They run in the idle class, and nothing of them is left."""
    with spinners() as found:
        pids = [process.pid for process in found._processes]
        assert len(pids) == len(os.sched_getaffinity(0))
        with found.spinning():
            while not all(_policy(pid) == _SCHED_IDLE and tree_cpu_s(pid) for pid in pids):
                os.sched_yield()
        assert {_state(pid) for pid in pids} <= {"T", "R"}
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.slow
def test_they_give_way_to_all_groups_where_the_system_has_groups() -> None:
    """The idle class alone yields to the harness's own session only; and their group does not stay."""
    root = _processor_groups()
    with spinners() as found:
        pids = [process.pid for process in found._processes]
        groups = [Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8") for pid in pids]
        name = f"mcpgw-bench-{os.getpid()}"
        assert found.yielding == all(f":/{name}\n" in group for group in groups)
        if found.yielding:
            assert root is not None
            assert (root / name / "cpu.idle").read_text(encoding="ascii").strip() == "1"
    assert root is None or not (root / name).exists()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_nothing_spins_without_processes() -> None:
    """The block is entered anyway."""
    with Spinners([]).spinning():
        pass
