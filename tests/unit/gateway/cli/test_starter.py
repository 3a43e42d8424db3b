"""`--starter`: images are built where possible; elsewhere the servers run as local processes, and it is said."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from gateway.catalog.model import ProcessLaunch
from gateway.cli import starter
from gateway.cli.starter import prepare_starter
from gateway.configuration import load_snapshot
from gateway.errors import EngineRefuses, ImageMissing
from gateway.options import GatewayOptions
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.image_builds import build_image

IMAGE = "mcpgw-test/built:cli"

# docker-py leaves the socket of a refused connection to the garbage collector, which must not run in a later test.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def forget_sockets() -> Iterator[None]:
    """Collects what docker-py left."""
    yield
    gc.collect()


@pytest.fixture
def options(tmp_path: Path) -> GatewayOptions:
    """What `--starter` asks for."""
    return GatewayOptions(
        home=str(tmp_path), catalogs=("starter",), enable_all_servers=True, local_fallback=True
    )


def test_without_engine_servers_run_as_processes(
    options: GatewayOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    """No engine in reach is said in one line, and every starter server has a process form."""
    prepared = prepare_starter(options, {"DOCKER_HOST": "unix:///nowhere.sock"})
    assert prepared.without_engine
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "run as local processes" in said
    servers = load_snapshot(prepared, {}).servers
    assert set(servers) == {"dice", "clock", "notes"}
    assert all(isinstance(server.launch, ProcessLaunch) for server in servers.values())


def test_engine_that_refuses_is_an_error(
    options: GatewayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is there and lets nobody in is to be mended, not worked around."""

    def refuse(_: DockerApi) -> None:
        raise EngineRefuses("it refuses this user: run `sudo usermod -aG docker $USER`")

    monkeypatch.setattr(DockerApi, "facts", refuse)
    with pytest.raises(EngineRefuses, match="usermod"):
        prepare_starter(options, {"DOCKER_HOST": "unix:///nowhere.sock"})


def test_image_that_cannot_be_built_is_no_dead_end(
    options: GatewayOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no base image is to be had, the reason is said, and the servers run as processes."""

    def fail(_api: DockerApi, image: str, *_: object) -> None:
        raise ImageMissing(f"image {image} could not be built (no such host)")

    monkeypatch.setattr(DockerApi, "facts", lambda _: None)
    monkeypatch.setattr(DockerApi, "image_id", lambda _, _image: None)
    monkeypatch.setattr(starter, "build_image", fail)
    assert prepare_starter(options, {"DOCKER_HOST": "unix:///nowhere.sock"}).without_engine
    said = capsys.readouterr().err
    assert "mcpgw: building mcpgw/dice:starter" in said
    assert "(no such host); for now the starter servers run as local processes" in said


def test_present_images_are_not_built_again(
    options: GatewayOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second start says nothing and changes nothing."""
    monkeypatch.setattr(DockerApi, "facts", lambda _: None)
    monkeypatch.setattr(DockerApi, "image_id", lambda _, _image: "sha256:1")
    assert prepare_starter(options, {"DOCKER_HOST": "unix:///nowhere.sock"}) == options
    assert capsys.readouterr().err == ""


@pytest.mark.engine
@pytest.mark.slow
def test_image_is_built_with_progress(
    engine: Endpoint, docker_client: docker.APIClient, echo_image: str, tmp_path: Path
) -> None:
    """A folder with a Dockerfile becomes an image; its ARGs are filled, the engine's lines told."""
    (tmp_path / "Dockerfile").write_text(
        "ARG BASE=nothing/such\nFROM ${BASE}\nCOPY Dockerfile /file\n"
    )
    lines: list[str] = []
    api = DockerApi(engine)
    try:
        build_image(api, IMAGE, tmp_path, {"BASE": echo_image}, lines.append)
        assert api.image_id(IMAGE) is not None
    finally:
        api.close()
        docker_client.remove_image(IMAGE, force=True)
    assert any("COPY Dockerfile /file" in line for line in lines)


@pytest.mark.engine
@pytest.mark.slow
def test_build_that_fails_says_why(engine: Endpoint, tmp_path: Path) -> None:
    """A Dockerfile that is of no use is an error of ours, with the engine's reason."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY missing /file\n")
    api = DockerApi(engine)
    try:
        with pytest.raises(ImageMissing, match=r"could not be built .*missing"):
            build_image(api, IMAGE, tmp_path, {}, lambda _: None)
    finally:
        api.close()


def test_starter_folder_has_what_is_built() -> None:
    """Each starter server has the Dockerfile that its image is built from."""
    folders = starter.starter_path().parent / "servers"
    assert sorted(os.listdir(folders)) == ["clock", "dice", "notes"]  # noqa: PTH208 - names are wanted
    assert all((folder / "Dockerfile").is_file() for folder in folders.iterdir())
