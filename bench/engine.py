"""The container engine of the harness, through its command line, and the image that everybody is measured with."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bench.errors import NotHere
from tests.engine import NoEngine, client, require_engine
from tests.images.echo import echo_image

REPOSITORY: Final = "mcpgw-bench/echo"
_RUN: Final = ("-i", "--rm", "--network", "none")
_SOCKET: Final = "/var/run/docker.sock"


class Engine:
    """The engine, with a label of this run on every container that the harness starts."""

    def __init__(self, image: str, version: str) -> None:
        self.image = image
        self.version = version
        # Whoever started this process finds its containers among those of other runs.
        self.label = f"mcpgw.bench={os.getpid()}-{uuid.uuid4().hex}"

    @property
    def run_options(self) -> tuple[str, ...]:
        """How peers run the server: as in the entries that people write, and nothing that travels over a network."""
        return (*_RUN, "--label", self.label)

    @property
    def run_command(self) -> tuple[str, ...]:
        """`docker run` of the echo server."""
        return ("docker", "run", *self.run_options, self.image)

    def containers(self, label: str) -> int:
        """How many containers have that label, running or not."""
        return len(docker("ps", "-aq", "--filter", f"label={label}").split())

    def running(self, label: str) -> int:
        """How many containers with that label run."""
        return len(docker("ps", "-q", "--filter", f"label={label}").split())

    def remove(self, label: str) -> int:
        """Removes all containers with that label; how many there were."""
        left = docker("ps", "-aq", "--filter", f"label={label}").split()
        if left:
            docker("rm", "-f", *left)
        return len(left)


@contextmanager
def open_engine() -> Iterator[Engine]:
    """The engine with the image in it; at the end none of the harness's containers is left.

    Raises:
        NotHere: there is no engine, or none on a unix socket; says what to do.
    """
    engine_socket()
    try:
        started = require_engine()
        with client() as api:
            tag = echo_image(api, "dash")
            version = api.version()["Version"]
    except NoEngine as error:
        raise NotHere(str(error)) from error
    image = f"{REPOSITORY}:latest"
    docker("tag", tag, image)
    engine = Engine(image, f"Docker {version}")
    try:
        yield engine
    finally:
        engine.remove(engine.label)
        if started is not None:
            started.terminate()
            started.wait()


def engine_socket() -> str:
    """The path of the engine's socket.

    Raises:
        NotHere: the engine is somewhere else.
    """
    host = os.environ.get("DOCKER_HOST", f"unix://{_SOCKET}")
    if not host.startswith("unix://"):
        raise NotHere(f"the bench measures a local engine: DOCKER_HOST is {host}, not unix://…")
    return host.removeprefix("unix://")


def docker(*arguments: str) -> str:
    """Runs a docker command; its stdout.

    Raises:
        NotHere: it failed; says what it said.
    """
    command: Sequence[str] = ("docker", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(f"`docker {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout.strip()
