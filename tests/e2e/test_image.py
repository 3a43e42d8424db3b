"""The container image, made of the Dockerfile on a base image that was made offline."""

from __future__ import annotations

import pytest

from gateway.runtimes.engine_endpoint import Endpoint
from tests.e2e.docker_cli import docker

pytestmark = pytest.mark.slow


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
