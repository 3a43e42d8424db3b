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


def _labels(engine: docker.APIClient) -> set[str]:
    """The containers of all bench runs."""
    filters = {"label": "mcpgw.bench"}
    return {found["Id"] for found in engine.containers(all=True, filters=filters)}


@pytest.mark.slow
def test_a_quick_run_measures_and_leaves_nothing(
    docker_client: docker.APIClient, tmp_path: Path
) -> None:
    """The figures are there, within a wide band."""
    before = _labels(docker_client)
    output = tmp_path / "run.json"
    done = subprocess.run(
        [*_COMMAND, "--output", str(output)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    (row,) = read_results(output).rows
    assert not row.failed
    assert row.rounds[0]["attach_p50_us"] > 0
    assert "| 2 | warm `tools/call`" in done.stdout
    assert _labels(docker_client) <= before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(
    docker_client: docker.APIClient, tmp_path: Path, number: signal.Signals
) -> None:
    """Its containers, its gateway and its homes are gone when it has ended."""
    before = _labels(docker_client)
    process = subprocess.Popen(
        [*_COMMAND, "--output", str(tmp_path / "run.json")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + _WAIT_S
    while not (_labels(docker_client) - before) or not list(tmp_path.iterdir()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(_WAIT_S) == 128 + number
    assert _labels(docker_client) <= before
    assert list(tmp_path.iterdir()) == []
