"""`--starter`: builds the images of the built-in catalog that are missing, or has its servers run as local processes.

Must not start any server.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.catalog.model import ContainerLaunch, Snapshot
from gateway.catalog.sources import starter_path
from gateway.configuration import load_snapshot
from gateway.errors import EngineRefuses, EngineUnreachable, ImageMissing
from gateway.options import GatewayOptions
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import locate_engine
from gateway.runtimes.image_builds import build_image

BASE_VARIABLE: Final = "MCPGW_STARTER_BASE"
"""Names another base image for the starter servers: for machines that reach no registry."""


def prepare_starter(options: GatewayOptions, environ: Mapping[str, str]) -> GatewayOptions:
    """Sees to it that every starter server can run: as a container where possible, else, and said so, as a process.

    Raises:
        EngineRefuses: an engine is there, and does not let this user in.
    """
    try:
        api = DockerApi(locate_engine(environ))
        api.facts()
    except EngineRefuses:
        raise
    except EngineUnreachable as error:
        _say(f"{error}; until then the starter servers run as local processes")
        return _as_processes(options)
    try:
        return _with_images(options, environ, api)
    finally:
        api.close()


def _with_images(
    options: GatewayOptions, environ: Mapping[str, str], api: DockerApi
) -> GatewayOptions:
    """Builds what is missing; where that fails, all starter servers run as processes."""
    try:
        for image, folder in _buildable(load_snapshot(options, environ)):
            if api.image_id(image) is None:
                _build(api, image, folder, environ)
    except ImageMissing as error:
        _say(f"{error}; for now the starter servers run as local processes")
        return _as_processes(options)
    return options


def _buildable(snapshot: Snapshot) -> Iterable[tuple[str, Path]]:
    """The images of enabled starter servers, with the folders that they are built from."""
    servers = starter_path().parent / "servers"
    for server in snapshot.servers.values():
        folder = servers / server.name
        if isinstance(server.launch, ContainerLaunch) and (folder / "Dockerfile").is_file():
            yield server.launch.image, folder


def _build(api: DockerApi, image: str, folder: Path, environ: Mapping[str, str]) -> None:
    """Builds one image, with the engine's words on stderr.

    Raises:
        ImageMissing: it could not be built; says why.
    """
    _say(f"building {image} (once)")
    base = environ.get(BASE_VARIABLE)
    arguments = {"BASE": base} if base else {}
    build_image(api, image, folder, arguments, lambda line: print(f"  {line}", file=sys.stderr))


def _as_processes(options: GatewayOptions) -> GatewayOptions:
    return msgspec.structs.replace(options, without_engine=True)


def _say(sentence: str) -> None:
    print(f"mcpgw: {sentence}", file=sys.stderr, flush=True)
