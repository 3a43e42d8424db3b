"""The `docker` command against the tests' engine: what people type who run the gateway as a container."""

from __future__ import annotations

import subprocess

from gateway.runtimes.engine_endpoint import Endpoint

_DEADLINE_S = 120.0
"""Until a command has ended; builds and the removal of an image take longest."""


def docker_words(engine: Endpoint, *words: str) -> list[str]:
    """A command line."""
    return ["docker", "--host", engine.url, *words]


def docker(engine: Endpoint, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        docker_words(engine, *words),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
