"""The zipapp under the Docker CLI, the real one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.places import Place
from tests.e2e.published import PUBLISHED, Step, Target

TOP = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("docker") is None, reason="the Docker CLI is not installed"),
]


@pytest.fixture
def plugged(pyz: Path, environ: dict[str, str]) -> dict[str, str]:
    """An environment in which `docker mcp` is our file."""
    environ["DOCKER_CONFIG"] = environ["HOME"] + "/docker"
    command = [sys.executable, "-m", "release.install_plugin", pyz]
    subprocess.run(command, cwd=TOP, env=environ, check=True, capture_output=True)
    return environ


def test_docker_lists_and_runs_it(plugged: dict[str, str]) -> None:
    """The metadata are accepted, and what stands behind `mcp` is run; nothing is unpacked any more."""
    listed = subprocess.run(
        ["docker", "--help"], env=plugged, capture_output=True, text=True, check=True
    )
    assert "mcp*" in listed.stdout
    version = subprocess.run(
        ["docker", "mcp", "version"], env=plugged, capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("mcpgw ")
    assert version.stderr == ""


def test_it_serves_clients(
    plugged: dict[str, str], place: Place, echo: Callable[..., dict[str, Any]]
) -> None:
    """`docker mcp gateway run` is what entries of desktop clients say today."""
    place.write({"one": echo()})
    environ = {**plugged, "MCPGW_HOME": str(place.home.root)}
    command = ("docker", "mcp", "gateway", "run")
    target = Target(transport="stdio", command=command, environ=environ)
    step: Step = ("tools/call", {"name": "echo", "arguments": {"text": "plugged in"}})
    (outcome,) = PUBLISHED["python-1"].do(target, [step])
    assert outcome["result"]["content"][0]["text"] == "plugged in"


def test_it_ends_when_docker_is_told_to(plugged: dict[str, str]) -> None:
    """The Docker CLI passes no signals on; a command that waits for its input ends all the same."""
    command = ["docker", "mcp", "secret", "set", "KEY"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=plugged, stdin=pipe, stdout=pipe) as started:
        wait_for_plugin(started.pid)
        started.terminate()
        # The plugin holds the other end too: this is its end, not only Docker's.
        output, _ = started.communicate(timeout=5)
    assert output == b""


def wait_for_plugin(docker: int) -> None:
    """Returns once a child of the Docker CLI listens to its socket: its Python has a second thread then."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for path in Path(f"/proc/{docker}/task").glob("*/children"):
            for child in path.read_text().split():
                if len(list(Path(f"/proc/{child}/task").iterdir())) > 1:
                    return
        time.sleep(0.01)
    pytest.fail("the Docker CLI did not start the plugin")
