"""The command, against a real engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest

from bench.figures import read_results
from bench.program import ROOT

_COMMAND = (sys.executable, "-m", "bench", "--quick", "--rows", "2")
_WAIT_S = 60.0


def _containers(engine: docker.APIClient, run: subprocess.Popen[str]) -> list[str]:
    """The containers of that run, whatever other runs there are."""
    found = engine.containers(all=True, filters={"label": "mcpgw.bench"})
    mine = f"{run.pid}-"
    return [one["Id"] for one in found if one["Labels"]["mcpgw.bench"].startswith(mine)]


@pytest.mark.slow
def test_a_quick_run_measures_and_leaves_nothing(
    docker_client: docker.APIClient, tmp_path: Path
) -> None:
    """The figures are there, within a wide band."""
    output = tmp_path / "run.json"
    with _started(tmp_path, output, stdout=subprocess.PIPE) as process:
        said, _ = process.communicate()
    (row,) = read_results(output).rows
    assert not row.failed
    assert row.rounds[0]["attach_p50_us"] > 0
    assert "| 2 | warm `tools/call`" in said
    assert _containers(docker_client, process) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(
    docker_client: docker.APIClient, tmp_path: Path, number: signal.Signals
) -> None:
    """Its containers, its gateway and its homes are gone when it has ended."""
    with _started(tmp_path, tmp_path / "run.json", stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + _WAIT_S
        while not _containers(docker_client, process) or not list(tmp_path.iterdir()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(_WAIT_S) == 128 + number
    assert _containers(docker_client, process) == []
    assert list(tmp_path.iterdir()) == []


def _started(folder: Path, output: Path, *, stdout: int) -> subprocess.Popen[str]:
    """A run whose homes are in that folder."""
    return subprocess.Popen(
        [*_COMMAND, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
    )
