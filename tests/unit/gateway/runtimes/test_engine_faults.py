"""gateway/runtimes/engine_faults.py and docker_api.py: what people read when the engine does not do its part."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from gateway.catalog.model import ContainerLaunch
from gateway.errors import EngineUnreachable
from gateway.ports import StartRequest
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_faults import not_pulled, not_started, unreachable


def test_no_engine_says_how_to_start_it(tmp_path: Path) -> None:
    """A socket that is not there: which one, and what starts an engine."""
    api = DockerApi(Endpoint(kind="unix", path=str(tmp_path / "none.sock")))
    with pytest.raises(
        EngineUnreachable, match=r"none\.sock is not running: start it .*DOCKER_HOST"
    ):
        api.facts()


def test_a_socket_nobody_listens_on(tmp_path: Path) -> None:
    """A socket left behind by a stopped engine is the same to people."""
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with pytest.raises(EngineUnreachable, match=r"stale\.sock is not running"):
        DockerApi(Endpoint(kind="unix", path=str(path))).facts()


def test_a_refused_port_names_its_source() -> None:
    """For a remote engine the thing to check is what named it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    endpoint = Endpoint(kind="tcp", host="127.0.0.1", port=port, source="DOCKER_HOST")
    with pytest.raises(EngineUnreachable, match=f"{port} is not running: check DOCKER_HOST"):
        DockerApi(endpoint).facts()


def test_permission_names_the_group() -> None:
    """The commonest trouble on Linux, however deep it lies in wrapped exceptions."""
    error = RuntimeError("Error while fetching", RuntimeError("aborted", PermissionError(13, "no")))
    sentence = str(unreachable(Endpoint(kind="unix", path="/s"), error))
    assert "refuses this user: run `sudo usermod -aG docker $USER`" in sentence


def test_anything_else_is_shown() -> None:
    """What is not known is at least told."""
    sentence = str(unreachable(Endpoint(kind="unix", path="/s"), RuntimeError("odd")))
    assert sentence.endswith("does not answer (odd): `docker version` shows more")


def test_what_the_system_says_is_not_shown_as_a_library_wraps_it() -> None:
    """urllib3 has tuples of words and exceptions in its exceptions."""
    error = RuntimeError(("Connection aborted.", ConnectionResetError(errno.ECONNRESET, "x")))
    error.__cause__ = ConnectionResetError(errno.ECONNRESET, "x")
    sentence = str(unreachable(Endpoint(kind="ssh", host="far"), error))
    assert "does not answer (connection reset by peer): " in sentence


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ('exec: "x": executable file not found in $PATH: unknown', "`command` of the entry"),
        ("invalid mount config: bind source path does not exist: /x", "create that path"),
        ("something new", "docker info"),
    ],
)
def test_a_start_that_failed_points_to_the_cause(reason: str, remedy: str) -> None:
    """The engine's reason, the server's name, and which part of the entry it is about."""
    launch = ContainerLaunch(image="i", memory_bytes=1, cpus=1.0, pids=1)
    sentence = str(not_started(StartRequest(server="s", launch=launch, spec_hash=""), reason))
    assert sentence.startswith(f"the container of s could not be started ({reason})")
    assert remedy in sentence


def test_an_image_that_cannot_be_pulled() -> None:
    """The image, the registry's reason, and both ways to get it."""
    sentence = str(not_pulled("x/y:1", "no such host\n"))
    assert "image x/y:1 is not here and could not be pulled (no such host)" in sentence
    assert "`docker pull x/y:1`" in sentence
    assert "`make run`" in sentence
