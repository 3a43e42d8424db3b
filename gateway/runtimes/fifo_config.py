"""A container's configuration with named pipes for its stdin and stdout. Must not know how it is told, or make pipes.

A shell of the image stands before the server: it opens both pipes, leaves a mark in the one for stdout, and turns into the
server. The mark is the probe: it only arrives where the container sees the same pipes as we do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.catalog.model import ContainerLaunch
from gateway.runtimes.engine_facts import ImageFacts

SHELL: Final = "/bin/sh"
MARK: Final = b"\n"
_STDIN: Final = "/.mcp/in"
_STDOUT: Final = "/.mcp/out"
_SCRIPT: Final = f'exec <{_STDIN} >{_STDOUT} && echo && exec "$@"'
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def why_no_shell(launch: ContainerLaunch, image: ImageFacts) -> str:
    """Why no shell can stand before this server, "" where one can."""
    if not program(launch, image):
        return "neither the image nor the entry has a command"
    for name in (*launch.env, *image.env):
        if not _NAME.fullmatch(name):
            return f"a shell does not pass on a variable of the name {name!r}"
    return ""


def program(launch: ContainerLaunch, image: ImageFacts) -> tuple[str, ...]:
    """The command line that the container would run: the entry's `command` takes the place of the image's."""
    return (*image.entrypoint, *(launch.command or image.command))


def with_pipes(
    config: Mapping[str, Any], command: tuple[str, ...], stdin: Path, stdout: Path
) -> dict[str, Any]:
    """`container_config`'s body, changed: `command` runs with its stdin and stdout on those named pipes."""
    host = config["HostConfig"]
    pipes = [_mount(stdin, _STDIN), _mount(stdout, _STDOUT)]
    return {
        **config,
        "Entrypoint": [SHELL, "-c", _SCRIPT, "sh", *command],
        "Cmd": [],
        # stdin ends with our descriptor: servers of a killed gateway end by themselves here, too.
        "AttachStdin": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "HostConfig": {**host, "Mounts": [*host["Mounts"], *pipes]},
    }


def _mount(source: Path, target: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": False}
