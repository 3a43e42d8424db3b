"""The container engine that tests run against: the one that answers, else one started here.

`python -m tests.engine start` does the same ahead of the tests; it leaves the engine running.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import docker

from gateway.errors import EngineUnreachable
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import Endpoint, locate_engine
from tests.images.cache import say

_START_S: Final = 60.0
"""Until a fresh dockerd answers; the first start lays out its storage."""
_STOP_S: Final = 20.0
_POLL_S: Final = 0.2


class NoEngine(Exception):
    """There is no engine to test against; says why, and what to do."""


def endpoint() -> Endpoint:
    """Where the tests' engine is."""
    return locate_engine(os.environ)


@contextmanager
def client() -> Iterator[docker.APIClient]:
    """docker-py, to look at the engine from outside of what is tested."""
    api = docker.APIClient(base_url=endpoint().url, version="auto")
    try:
        yield api
    finally:
        api.close()


def require_engine() -> subprocess.Popen[bytes] | None:
    """Sees to it that an engine answers.

    Returns:
        The `dockerd` that was started for it, which `stop` ends; None where one was running.

    Raises:
        NoEngine
    """
    reason = _refusal()
    if reason is None:
        return None
    if "DOCKER_HOST" in os.environ or os.geteuid() != 0:
        raise NoEngine(f"{reason} (as root, the tests install and start one themselves)")
    if shutil.which("dockerd") is None:
        _install()
    return _start_dockerd()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a `dockerd` that `require_engine` started."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _refusal() -> str | None:
    """Why no engine answers, None where one does."""
    api: DockerApi | None = None
    try:
        api = DockerApi(endpoint())
        api.facts()
    except EngineUnreachable as error:
        return str(error)
    finally:
        if api is not None:
            api.close()
    return None


def _install() -> None:
    say("installing the engine (docker.io)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", "docker.io"],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoEngine(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")


def _start_dockerd() -> subprocess.Popen[bytes]:
    """Starts dockerd; where the machine has no working iptables, without a bridge."""
    for options in ([], ["--iptables=false", "--bridge=none"]):
        say(f"starting dockerd {' '.join(options)}".rstrip())
        log = Path(tempfile.gettempdir()) / "mcpgw-tests-dockerd.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["dockerd", *options], stdout=file, stderr=file, start_new_session=True
            )
        deadline = time.monotonic() + _START_S
        while process.poll() is None and time.monotonic() < deadline:
            if _refusal() is None:
                return process
            time.sleep(_POLL_S)
        stop(process)
    raise NoEngine(f"dockerd does not start: {log} says why")


def main(arguments: list[str]) -> int:
    """The command; its exit status."""
    if arguments != ["start"]:
        print("usage: python -m tests.engine start", file=sys.stderr)
        return 2
    try:
        require_engine()
    except NoEngine as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
