"""The checks of `doctor`: each looks at one thing, mends nothing, and says how to mend it."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.catalog.model import ContainerLaunch, PociLaunch, Snapshot
from gateway.catalog.sources import starter_path
from gateway.cli.secret import declared_secrets, wanted_entries
from gateway.cli.verbs import Invocation
from gateway.configuration import load_secrets, load_snapshot
from gateway.errors import EngineUnreachable, GatewayError
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import Endpoint, locate_engine
from gateway.runtimes.engine_facts import EngineFacts

_LOOPBACK: Final = "127.0.0.1"
_HEALTH_WAIT_S: Final = 2.0
"""How long whatever holds the port may take to say whether it is a gateway."""
_SHOWN: Final = 3
"""Items of one kind that are named; the rest is counted."""


class Finding(msgspec.Struct, frozen=True):
    """What one check saw. `fix` is a command or a deed, empty where nothing is to be done."""

    check: str
    ok: bool
    text: str
    fix: str = ""


class _Engine(msgspec.Struct, frozen=True):
    """The engine, as far as it could be reached."""

    endpoint: Endpoint | None
    facts: EngineFacts | None
    api: DockerApi | None
    reason: str = ""


def run_checks(invocation: Invocation, *, port: int) -> tuple[Finding, ...]:
    """All checks, in the order in which their failures matter."""
    engine = _reach_engine(invocation)
    try:
        found = [
            _engine(engine),
            _permission(engine),
            _port(port),
            _home(invocation),
            *_configured(invocation, engine),
            _token(invocation),
        ]
    finally:
        if engine.api is not None:
            engine.api.close()
    return tuple(found)


def _reach_engine(invocation: Invocation) -> _Engine:
    """Asks the engine who it is."""
    endpoint: Endpoint | None = None
    try:
        endpoint = locate_engine(invocation.environ)
        api = DockerApi(endpoint)
        return _Engine(endpoint, api.facts(), api)
    except EngineUnreachable as error:
        return _Engine(endpoint, None, None, str(error))


def _engine(engine: _Engine) -> Finding:
    if engine.facts is None or engine.endpoint is None:
        text, _, fix = engine.reason.partition(": ")
        return Finding("engine", ok=False, text=text, fix=fix or "see `docker version`")
    facts = engine.facts
    return Finding(
        "engine",
        ok=True,
        text=f"version {facts.version}, API {facts.api_version}, {engine.endpoint.url}",
    )


def _permission(engine: _Engine) -> Finding:
    """Whether this user may use the engine's socket; other kinds of endpoint ask by themselves."""
    endpoint = engine.endpoint
    if endpoint is None or endpoint.kind != "unix":
        return Finding(
            "permission", ok=True, text="the engine is not reached through a local socket"
        )
    if not Path(endpoint.path).exists():
        return Finding(
            "permission", ok=True, text=f"there is no socket {endpoint.path} to be refused by"
        )
    if os.access(endpoint.path, os.R_OK | os.W_OK):
        return Finding("permission", ok=True, text=f"this user may use {endpoint.path}")
    fix = "sudo usermod -aG docker $USER, then log in again"
    return Finding("permission", ok=False, text=f"this user may not use {endpoint.path}", fix=fix)


def _port(number: int) -> Finding:
    """Whether the network transports could listen, or do already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, number))
        except PermissionError:
            return Finding(
                "port",
                ok=False,
                text=f"{number} is reserved for root",
                fix="choose one from 1024 up with --port",
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return Finding("port", ok=True, text=f"{number} is free")
    if _is_gateway(number):
        return Finding("port", ok=True, text=f"a gateway serves on {number}")
    fix = f"see who it is with `ss -ltnp 'sport = :{number}'`, or choose another with --port"
    return Finding("port", ok=False, text=f"{number} is in use by another program", fix=fix)


def _is_gateway(number: int) -> bool:
    """Whether what listens there answers as a gateway's health does."""
    connection = http.client.HTTPConnection(_LOOPBACK, number, timeout=_HEALTH_WAIT_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status in {200, 503}
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _home(invocation: Invocation) -> Finding:
    """Whether the home can be written: tokens, locks and caches live there."""
    root = invocation.home().root
    existing = next(folder for folder in (root, *root.parents) if _is_there(folder))
    if not existing.is_dir():
        return Finding(
            "home",
            ok=False,
            text=f"{existing} is no folder",
            fix=f"move it away, or set MCPGW_HOME instead of {root}",
        )
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        return Finding(
            "home",
            ok=False,
            text=f"{existing} is on a file system that is mounted read-only",
            fix="set MCPGW_HOME to a folder that can be written",
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            "home",
            ok=False,
            text=f"{existing} cannot be written by this user",
            fix=f"sudo chown -R $USER {existing}, or set MCPGW_HOME to a folder of yours",
        )
    for folder in (root, invocation.home().catalogs):
        if _is_there(folder) and folder.stat().st_mode & stat.S_IWOTH:
            return Finding(
                "home",
                ok=False,
                text=f"everybody may write to {folder}, and so have this user run any program",
                fix=f"chmod o-w {folder}",
            )
    return Finding(
        "home", ok=True, text=str(root) if existing == root else f"{root} will be made at first use"
    )


def _is_there(path: Path) -> bool:
    """Whether a path exists as far as this user can see."""
    try:
        return path.exists()
    except OSError:
        return False


def _configured(invocation: Invocation, engine: _Engine) -> Iterator[Finding]:
    """What is wrong with what the operator wrote."""
    try:
        snapshot = load_snapshot(invocation.options(), invocation.environ)
    except GatewayError as error:
        yield Finding(
            "catalogs", ok=False, text=str(error), fix="correct that, and run doctor again"
        )
        return
    except OSError as error:
        yield Finding(
            "catalogs",
            ok=False,
            text=f"{error.filename} cannot be read: {(error.strerror or str(error)).lower()}",
            fix="make it readable for this user, or set MCPGW_HOME to a folder of yours",
        )
        return
    yield _catalogs(snapshot)
    yield _secrets(invocation, snapshot)
    yield _images(invocation, snapshot, engine)


def _catalogs(snapshot: Snapshot) -> Finding:
    if snapshot.faults:
        faults = [f"{fault.name}: {fault.origin}: {fault.reason}" for fault in snapshot.faults]
        return Finding(
            "catalogs",
            ok=False,
            text=_some(faults, "; "),
            fix="correct those lines; the other servers run",
        )
    count = f"{len(snapshot.servers)} of {len(snapshot.available)} servers enabled"
    return Finding("catalogs", ok=True, text=count)


def _secrets(invocation: Invocation, snapshot: Snapshot) -> Finding:
    """Secrets of enabled servers that no source has. One that is not required is no failure."""
    secrets = load_secrets(invocation.options(), invocation.environ).secrets
    missing: list[str] = []
    optional: list[str] = []
    for name, uses in declared_secrets(wanted_entries(snapshot)).items():
        if all(secrets.where(use, entry.origin) is None for entry, use in uses):
            kind = missing if any(use.required for _, use in uses) else optional
            kind.append(name)
    if missing:
        fix = "; ".join(f"{invocation.name} secret set {name}" for name in missing[:_SHOWN])
        return Finding("secrets", ok=False, text=f"missing: {_some(missing)}", fix=fix)
    if optional:
        return Finding("secrets", ok=True, text=f"not set, and not required: {_some(optional)}")
    return Finding("secrets", ok=True, text="every secret that a server asks for is there")


def _images(invocation: Invocation, snapshot: Snapshot, engine: _Engine) -> Finding:
    """Whether the images of the enabled servers are there; others are pulled at the first call, which takes time."""
    images = _images_of(snapshot, invocation.name)
    if not images:
        return Finding("images", ok=True, text="no enabled server runs as a container")
    if engine.api is None:
        return Finding(
            "images",
            ok=False,
            text=f"{len(images)} cannot be looked for without an engine",
            fix="see engine above",
        )
    missing = [image for image in images if engine.api.image_id(image) is None]
    if missing:
        fixes = [images[image] for image in missing]
        fix = "; ".join(list(dict.fromkeys(fixes))[:_SHOWN])
        return Finding("images", ok=False, text=f"not here yet: {_some(missing)}", fix=fix)
    return Finding("images", ok=True, text=f"{len(images)} of {len(images)} here")


def _images_of(snapshot: Snapshot, program: str) -> dict[str, str]:
    """The images of all enabled servers, each with the command that brings it."""
    own = str(starter_path())
    images: dict[str, str] = {}
    for server in snapshot.servers.values():
        match server.launch:
            case ContainerLaunch(image=image) if server.entry.origin.source == own:
                images[image] = f"`{program} gateway run --starter` builds it at its start"
            case ContainerLaunch(image=image):
                images[image] = f"docker pull {image}"
            case PociLaunch(tools=tools):
                images.update((tool.image, f"docker pull {tool.image}") for tool in tools)
            case _:
                pass
    return images


def _token(invocation: Invocation) -> Finding:
    """Who may connect over the network."""
    environ, home = invocation.environ, invocation.home()
    # The names are those of gateway.auth.bearer, which makes a token where there is none: a check changes nothing.
    if environ.get("MCP_GATEWAY_AUTH_TOKEN") or environ.get("MCP_GATEWAY_AUTH_TOKEN_FILE"):
        whence = "comes from the environment"
    else:
        whence = "is kept in the home" if _is_there(home.token) else "will be made at first use"
    return Finding(
        "token",
        ok=True,
        text=f"it {whence}; all who hold it count as one caller and may share containers",
    )


def _some(items: list[str], gap: str = ", ") -> str:
    """The first few items, and how many more there are."""
    more = len(items) - _SHOWN
    return gap.join(items[:_SHOWN]) + (f"{gap}and {more} more" if more > 0 else "")
