"""gateway/runtimes/traces.py: what is in a home's `run/`, and whose it is."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from gateway.home import Home
from gateway.runtimes.ownership import InstanceLock
from gateway.runtimes.process_records import record_process
from gateway.runtimes.traces import Trace, find_traces

DEAD = uuid.uuid4().hex


@pytest.fixture
def lock(home: Home) -> Iterator[InstanceLock]:
    """A running gateway's."""
    lock = InstanceLock.take(home)
    yield lock
    lock.release()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def test_an_absent_home_has_none(home: Home) -> None:
    """Nothing is made by looking."""
    assert find_traces(home) == []
    assert not home.root.exists()


def test_a_running_gateway(home: Home, lock: InstanceLock) -> None:
    """Its lock is held, and looking leaves it so."""
    home.identity()
    held = Trace("lock", f"{lock.instance_id}.lock", "", "held", alive=True)
    assert find_traces(home) == [held]
    assert find_traces(home) == [held]


def test_what_a_killed_gateway_left(home: Home, process: subprocess.Popen[bytes]) -> None:
    """Its lock is free, its process is said to run or to have ended, its pipes and socket are there."""
    home.identity()
    (home.run / f"{DEAD}.lock").touch()
    (home.run / f"{DEAD}.abc.pipes").mkdir()
    home.control(DEAD).touch()
    record_process(home, DEAD, "mine", process.pid)
    (home.run / f"{DEAD}.7.process").write_text("rubbish")
    assert sorted(find_traces(home), key=lambda trace: (trace.kind, trace.name)) == [
        Trace("lock", f"{DEAD}.lock", "", "", alive=False),
        Trace("pipes", f"{DEAD}.abc.pipes", "", "", alive=False),
        Trace("process", f"{DEAD}.7.process", "", "ended", alive=False),
        Trace("process", f"process {process.pid}", "mine", "running", alive=False),
        Trace("socket", f"{DEAD}.sock", "", "", alive=False),
    ]
    process.kill()
    process.wait()
    ended = [trace.state for trace in find_traces(home) if trace.kind == "process"]
    assert ended == ["ended", "ended"]
