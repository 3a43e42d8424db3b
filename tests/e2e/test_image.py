"""The container image, made of the Dockerfile on a base image that was made offline."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.runtimes.engine_endpoint import Endpoint

TOP = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def docker(engine: Endpoint, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the Docker CLI against the tests' engine."""
    command = ["docker", "--host", engine.url, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def image(
    engine: Endpoint, real_image: str, pyz: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The gateway's image, under a name of this run's own."""
    context = tmp_path_factory.mktemp("image")
    shutil.copyfile(pyz, context / "mcpgw.pyz")
    name = f"mcpgw-test/gateway:{uuid.uuid4().hex[:8]}"
    dockerfile = str(TOP / "Dockerfile")
    base = f"BASE={real_image}"
    built = docker(
        engine, "build", "--file", dockerfile, "--build-arg", base, "--tag", name, str(context)
    )
    assert built.returncode == 0, built.stdout + built.stderr
    yield name
    docker(engine, "rmi", "--force", name)


@pytest.mark.parametrize("flags", [(), ("--read-only", "--user", "1234:1234")])
def test_a_container_has_nothing_left_to_unpack(
    engine: Endpoint, image: str, flags: tuple[str, ...]
) -> None:
    """It runs at once, also with a read-only root and as another user."""
    ran = docker(engine, "run", "--rm", "--network=none", *flags, image, "version")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("mcpgw ")
    assert ran.stderr == ""


def test_leading_flags_reach_the_gateway(engine: Endpoint, image: str) -> None:
    """`docker run … --transport=stdio` means `gateway run`: a flag that does not exist is its error."""
    ran = docker(engine, "run", "--rm", "--network=none", image, "--no-such-flag")
    assert ran.returncode == 2
    assert "--no-such-flag" in ran.stderr
