"""What the end-to-end tests share: the zipapp that people run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def pyz() -> Path:
    """mcpgw.pyz; `make test` has built it from these sources."""
    path = TOP / "mcpgw.pyz"
    if not path.exists():
        subprocess.run([sys.executable, "-m", "release.build_pyz"], cwd=TOP, check=True)
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A home and a temporary folder of this test's own, and nothing else."""
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
    }
