"""A home of its own for each test, and the console script in this process."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.cli.main import main


class Done(NamedTuple):
    """What one command did."""

    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The path of a home that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the console script: `run("server", "ls", stdin="…", NAME="value of the variable")`."""

    def call(*words: str, stdin: str = "", **environ: str) -> Done:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        surroundings = {"HOME": str(home.parent), "MCPGW_HOME": str(home), **environ}
        status = main(words, surroundings)
        return Done(status, *capsys.readouterr())

    return call


@pytest.fixture
def write(home: Path) -> Callable[[str, str], Path]:
    """Writes a file of the home."""

    def put(name: str, text: str) -> Path:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put
