"""tests/conftest.py: engine tests are never silently left out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("ci", "status"), [("false", 0), ("true", 1)])
def test_without_an_engine(ci: str, status: int, tmp_path: Path) -> None:
    """They are reported as not run, with the reason; under CI=true that is a failure."""
    environ = {**os.environ, "CI": ci, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/contracts/test_real_servers.py"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "NOT RUN: 10 tests that need a container engine: " in done.stdout
    assert "none.sock is not running" in done.stdout
    assert done.returncode == status, done.stdout
