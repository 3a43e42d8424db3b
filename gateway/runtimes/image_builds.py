"""Builds images from folders with a Dockerfile. Blocking, for commands; must not know why an image is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.errors import ImageMissing
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_http import Refused


def build_image(
    api: DockerApi,
    image: str,
    folder: Path,
    arguments: Mapping[str, str],
    report: Callable[[str], None],
) -> None:
    """Builds `image`; `arguments` are the Dockerfile's ARGs, `report` gets the engine's lines.

    Raises:
        EngineUnreachable: the engine is gone.
        ImageMissing: it could not be built; says why.
    """
    try:
        for event in api.build(image, folder, arguments):
            if "error" in event:
                raise _not_built(image, str(event["error"]))
            if line := str(event.get("stream") or event.get("status") or "").strip():
                report(line)
    except Refused as error:
        raise _not_built(image, error.reason) from error


def _not_built(image: str, reason: str) -> ImageMissing:
    return ImageMissing(f"image {image} could not be built ({reason.strip()})")
