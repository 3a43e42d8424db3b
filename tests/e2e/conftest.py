"""What the end-to-end tests share: the zipapp that people run, and homes for gateways under test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import pytest

from gateway.runtimes.container_config import HOME_LABEL
from gateway.runtimes.engine_endpoint import Endpoint
from tests.e2e import docker_cli
from tests.e2e.gateways import await_true
from tests.e2e.places import LINK, PYZ, SOURCE, TOP, Place
from tests.images.real import SERVERS

Containers = Callable[[Place], list[str]]

_LISTED_S = 60.0
"""Until two published servers have been started and listed, on a machine with better things to do."""


@pytest.fixture(scope="session")
def pyz() -> Path:
    """mcpgw.pyz; `make test` has built it from these sources."""
    if not PYZ.exists():
        subprocess.run([sys.executable, "-m", "release.build_pyz"], cwd=TOP, check=True)
    return PYZ


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


@pytest.fixture(scope="session")
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the built file unpacks itself: once for all tests, as for a person's second start."""
    folder = tmp_path_factory.mktemp("unpacked")
    if not SOURCE:
        request.getfixturevalue("pyz")
        started = Place(tmp_path_factory.mktemp("first-start"), folder).run("version")
        assert started.returncode == 0, started.stderr
    return folder


@pytest.fixture(scope="session")
def image(
    engine: Endpoint, real_image: str, pyz: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The gateway's image, on a base that was made offline, under a name of this run's own."""
    context = tmp_path_factory.mktemp("image")
    shutil.copyfile(pyz, context / "mcpgw.pyz")
    name = f"mcpgw-test/gateway:{uuid.uuid4().hex[:8]}"
    dockerfile = str(TOP / "Dockerfile")
    base = f"BASE={real_image}"
    built = docker_cli.docker(
        engine, "build", "--file", dockerfile, "--build-arg", base, "--tag", name, str(context)
    )
    assert built.returncode == 0, built.stdout + built.stderr
    yield name
    docker_cli.docker(engine, "rmi", "--force", name)


@pytest.fixture
def link() -> str:
    """How gateways are told to reach containers; where it could make a difference, both ways are tried (`BOTH_LINKS`)."""
    return LINK


BOTH_LINKS = pytest.mark.parametrize("link", ["fifo", "attach"])


@pytest.fixture
def place(tmp_path: Path, unpacked: Path, link: str) -> Place:
    """An empty home of this test's own."""
    return Place(tmp_path / "place", unpacked, link=link)


@pytest.fixture
def echo(shell_image: str) -> Callable[..., dict[str, Any]]:
    """Makes catalog entries of the small C server; its arguments go into `command`."""

    def entry(*command: str, **fields: object) -> dict[str, Any]:
        return {"image": shell_image, "disableNetwork": True, "command": list(command), **fields}

    return entry


@pytest.fixture
def real(real_image: str) -> Callable[..., dict[str, Any]]:
    """Makes catalog entries of published servers, by their name in `tests.images.real`."""

    def entry(name: str, **fields: object) -> dict[str, Any]:
        return real_entry(real_image, SERVERS[name], fields)

    return entry


@pytest.fixture(scope="session")
def listed_place(
    tmp_path_factory: pytest.TempPathFactory, unpacked: Path, real_image: str
) -> Place:
    """A home whose servers `time` and `everything` have been listed."""
    names = ("time", "everything")
    place = Place(tmp_path_factory.mktemp("listed"), unpacked)
    place.write({name: real_entry(real_image, SERVERS[name], {}) for name in names})
    with place.stdio() as client:
        client.initialize()
        client.request("tools/list")
        # On a busy machine the list does not wait for both of them; the cache tells when they are through.
        kept = place.home.cache / "lists"
        await_true(lambda: len(list(kept.glob("*.json"))) == len(names), "both listed", _LISTED_S)
    return place


@pytest.fixture
def known_place(place: Place, listed_place: Place) -> Place:
    """A home of this test's own, with the lists of `listed_place` in its cache."""
    home, old = place.home, listed_place.home
    # A gateway that had to hurry leaves its socket to the next one of its home.
    shutil.copytree(old.root, home.root, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    # Another home to the engine; the key stays, because the cache's names depend on it.
    (home.run / "id").unlink()
    return place


@pytest.fixture
def containers(docker_client: docker.APIClient) -> Containers:
    """The names of all containers of a home, running or not, as `docker ps -a` shows them."""

    def of(place: Place) -> list[str]:
        label = f"{HOME_LABEL}={place.home.identity()}"
        found = docker_client.containers(all=True, filters={"label": label})
        return [container["Names"][0].lstrip("/") for container in found]

    return of


def real_entry(image: str, command: Sequence[str], fields: Mapping[str, object]) -> dict[str, Any]:
    """The catalog entry of a published server."""
    return {"image": image, "disableNetwork": True, "command": list(command), **fields}
