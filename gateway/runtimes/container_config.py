"""What the engine is told about a server's container. Must not know how it is told; only `lstat`s bind sources.

Source: Docker Engine API, `ContainerCreate`; the labels `docker-mcp*` are those of Docker's own gateway.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.catalog.model import ContainerLaunch, Mount
from gateway.errors import StartFailed

HOME_LABEL: Final = "mcpgw.home"
INSTANCE_LABEL: Final = "mcpgw.instance"
SERVER_LABEL: Final = "mcpgw.server"
SPEC_LABEL: Final = "mcpgw.spec"

_SUFFIX_BYTES: Final = 4
_NAME_CHARS: Final = 48
"""Of a server's name in its container's: `docker ps` stays readable."""
_NANO: Final = 1_000_000_000
_NO_NETWORK: Final = "none"


class Owner(msgspec.Struct, frozen=True):
    """Whose containers they are: the home, and the running gateway (its lock is named so)."""

    home_id: str
    instance_id: str


class Place(msgspec.Struct, frozen=True):
    """What decides a container's surroundings.

    `networks`: those the gateway itself is on, empty for the engine's default. `local_files`: bind sources can be
    looked at from here. `maps_users`: the engine's user ids are not ours (rootless, user namespaces). `architecture`: the
    engine's processor, in its own word.
    """

    networks: tuple[str, ...] = ()
    local_files: bool = True
    maps_users: bool = False
    architecture: str = ""


def container_name(server: str) -> str:
    """A new name, `mcp-<server>-<random>`, of characters an engine takes."""
    readable = re.sub(r"[^a-zA-Z0-9_.-]+", "-", server)[:_NAME_CHARS].strip("-.") or "server"
    return f"mcp-{readable}-{secrets.token_hex(_SUFFIX_BYTES)}"


def labels(server: str, spec_hash: str, owner: Owner) -> dict[str, str]:
    """Whose the container is, and what runs in it."""
    return {
        HOME_LABEL: owner.home_id,
        INSTANCE_LABEL: owner.instance_id,
        SERVER_LABEL: server,
        SPEC_LABEL: spec_hash,
        "docker-mcp": "true",
        "docker-mcp-tool-type": "mcp",
        "docker-mcp-name": server,
        "docker-mcp-transport": "stdio",
    }


def container_config(
    launch: ContainerLaunch,
    place: Place,
    *,
    labels: Mapping[str, str],
    interactive: bool,
) -> dict[str, Any]:
    """The body of `POST /containers/create`. Holds secrets in `Env`: never log it.

    Args:
        launch: what to run.
        place: where it will run.
        labels: whose it is.
        interactive: whether the container reads from us (a server), or just runs to its end.

    Raises:
        StartFailed: a path to be mounted does not exist.
    """
    config: dict[str, Any] = {
        "Image": launch.image,
        "Env": [f"{name}={value}" for name, value in launch.env.items()],
        "Labels": dict(labels),
        "AttachStdin": interactive,
        "OpenStdin": interactive,
        # The container's stdin ends when our connection does: servers of a killed gateway end by themselves.
        "StdinOnce": interactive,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "HostConfig": _host_config(launch, place, auto_remove=interactive),
    }
    if launch.command:
        config["Cmd"] = list(launch.command)
    if user := launch.user or _owner_of_binds(launch.mounts, place):
        config["User"] = user
    return config


def further_networks(launch: ContainerLaunch, place: Place) -> tuple[str, ...]:
    """Networks to connect after creation: engines before API 1.44 take only one at creation."""
    return () if launch.disable_network else place.networks[1:]


def _host_config(launch: ContainerLaunch, place: Place, *, auto_remove: bool) -> dict[str, Any]:
    config: dict[str, Any] = {
        # A server of a killed gateway reads the end of its input, ends, and is gone. One that runs to its end is
        # removed by us: its exit status must outlive it.
        "AutoRemove": auto_remove,
        # A server that is PID 1 would ignore SIGTERM and never reap its children.
        "Init": True,
        "SecurityOpt": ["no-new-privileges"],
        "CapDrop": ["ALL"],
        "CapAdd": list(launch.caps),
        "PidsLimit": launch.pids,
        "Memory": launch.memory_bytes,
        # Equal to the memory: no swap on top of it.
        "MemorySwap": launch.memory_bytes,
        "NanoCpus": int(launch.cpus * _NANO),
        # Results of tools are nobody's business on the engine's disk.
        "LogConfig": {"Type": "none", "Config": {}},
        "ExtraHosts": list(launch.extra_hosts),
        "Mounts": [_mount(mount, place) for mount in launch.mounts],
    }
    if launch.disable_network:
        config["NetworkMode"] = _NO_NETWORK
    elif place.networks:
        config["NetworkMode"] = place.networks[0]
    return config


def _mount(mount: Mount, place: Place) -> dict[str, Any]:
    if mount.bind and place.local_files and not os.path.lexists(mount.source):
        raise StartFailed(
            f"{mount.source}, to be mounted at {mount.target}, does not exist on this machine: "
            "create it, or correct the server's `volumes`"
        )
    return {
        # `Mounts` and not `Binds`: the latter create a missing path, as root.
        "Type": "bind" if mount.bind else "volume",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _owner_of_binds(mounts: Sequence[Mount], place: Place) -> str:
    """The owner of the first bound path (a writable one before others), "" where the image decides.

    Without capabilities even root in a container reads only what its user id may read.
    """
    binds = sorted((mount for mount in mounts if mount.bind), key=lambda mount: mount.read_only)
    if not binds or not place.local_files or place.maps_users:
        return ""
    try:
        status = Path(binds[0].source).stat()
    except OSError:
        return ""
    return f"{status.st_uid}:{status.st_gid}"
