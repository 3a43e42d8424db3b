"""Why an engine does not do what was asked, in a sentence that says what helps. Must not know docker-py."""

from __future__ import annotations

import errno
import os
import ssl

from gateway.errors import EngineRefuses, EngineUnreachable, ImageMissing, StartFailed
from gateway.ports import StartRequest
from gateway.runtimes.engine_endpoint import Endpoint


def unreachable(endpoint: Endpoint, error: Exception) -> EngineUnreachable:
    """Why the engine does not answer, and what helps."""
    where = f"the container engine at {endpoint.url}"
    number = _system_error(error)
    if number in {errno.EACCES, errno.EPERM}:
        return EngineRefuses(
            f"{where} refuses this user: run `sudo usermod -aG docker $USER`, then log in again"
        )
    if number in {errno.ENOENT, errno.ECONNREFUSED}:
        remedy = (
            "start it (`sudo systemctl start docker`, or Docker Desktop), or set DOCKER_HOST"
            if endpoint.kind == "unix"
            else f"check {endpoint.source}"
        )
        return EngineUnreachable(f"{where} is not running: {remedy}")
    reason = str(error) if number is None else os.strerror(number).lower()
    return EngineUnreachable(f"{where} does not answer ({reason}): `docker version` shows more")


def _system_error(error: BaseException | None) -> int | None:
    """The errno at the bottom of a pile of wrapped exceptions."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        # An SSLError is an OSError whose number is OpenSSL's.
        if isinstance(current, OSError) and not isinstance(current, ssl.SSLError) and current.errno:
            return current.errno
        pending += [current.__cause__, current.__context__]
        pending += [inner for inner in current.args if isinstance(inner, BaseException)]
    return None


def not_started(request: StartRequest, reason: str) -> StartFailed:
    """The engine's reason, and which part of the entry it is about."""
    image = getattr(request.launch, "image", "")
    if "executable file not found" in reason or "no such file or directory" in reason:
        remedy = f"check `command` of the entry, and what is in image {image}"
    elif "bind source path does not exist" in reason:
        remedy = "create that path where the engine runs, or correct the entry's `volumes`"
    else:
        remedy = "correct the entry, or ask `docker info` whether the engine is well"
    return StartFailed(
        f"the container of {request.server} could not be started ({reason.strip()}): {remedy}"
    )


def not_pulled(image: str, reason: str) -> ImageMissing:
    """The registry's reason, and what to try."""
    return ImageMissing(
        f"image {image} is not here and could not be pulled ({reason.strip()}): "
        f"check the name and the network, then try `docker pull {image}` (the starter catalog's images are built by `make run`)"
    )
