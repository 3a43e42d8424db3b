"""Where the container engine is: environment, Docker contexts, known sockets. Must not know how to talk to it.

The order is that of Docker's own command line: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context of
`~/.docker/config.json`, then the sockets that Docker Engine, rootless Docker and Docker Desktop are known to make.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from gateway.errors import EngineUnreachable

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
_PLAIN_PORT: Final = 2375
_TLS_PORT: Final = 2376
_SSH_PORT: Final = 22

_T = TypeVar("_T")


class TlsFiles(msgspec.Struct, frozen=True):
    """Paths of PEM files, "" where there is none. `verify` false accepts any certificate (`DOCKER_TLS` alone)."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's address. `path` belongs to `unix`, `host` and `port` to the others, `user` to `ssh`.

    `source` says who named it, for messages: "DOCKER_HOST", "context x", "default".
    """

    kind: Literal["unix", "tcp", "tls", "ssh"]
    path: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    tls: TlsFiles | None = None
    source: str = "default"

    @property
    def url(self) -> str:
        """The address as `DOCKER_HOST` spells it."""
        if self.kind == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.kind == "ssh":
            user = f"{self.user}@" if self.user else ""
            return f"ssh://{user}{host}:{self.port}"
        return f"tcp://{host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether the engine sees the files that we see (Docker Desktop shares them, too)."""
        return self.kind == "unix"


class _DockerTarget(msgspec.Struct):
    host: str = msgspec.field(name="Host", default="")
    skip_verify: bool = msgspec.field(name="SkipTLSVerify", default=False)


class _Endpoints(msgspec.Struct):
    docker: _DockerTarget = msgspec.field(default_factory=_DockerTarget)


class _ContextMeta(msgspec.Struct):
    endpoints: _Endpoints = msgspec.field(name="Endpoints", default_factory=_Endpoints)


class _ClientConfig(msgspec.Struct):
    current: str = msgspec.field(name="currentContext", default="")


def locate_engine(environ: Mapping[str, str]) -> Endpoint:
    """The endpoint to use; nothing is connected.

    Raises:
        EngineUnreachable: the named context does not exist, or an address is of no use here.
    """
    folder = _config_folder(environ)
    if named := environ.get("DOCKER_HOST"):
        return _parse(named, "DOCKER_HOST", tls=_environment_tls(environ, folder))
    context = environ.get("DOCKER_CONTEXT") or _read(folder / "config.json", _ClientConfig).current
    if context and context != "default":
        return _from_context(folder, context)
    return Endpoint(kind="unix", path=_known_socket(environ))


def _config_folder(environ: Mapping[str, str]) -> Path:
    """Docker's own configuration folder."""
    if named := environ.get("DOCKER_CONFIG"):
        return Path(named)
    return Path(environ.get("HOME") or Path.home()) / ".docker"


def _environment_tls(environ: Mapping[str, str], folder: Path) -> TlsFiles | None:
    """TLS as `DOCKER_TLS_VERIFY`, `DOCKER_TLS` and `DOCKER_CERT_PATH` ask for it."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not environ.get("DOCKER_TLS"):
        return None
    return _tls_files(Path(environ.get("DOCKER_CERT_PATH") or folder), verify=verify)


def _tls_files(folder: Path, *, verify: bool) -> TlsFiles:
    """The PEM files of a folder, those that are there."""

    def present(name: str) -> str:
        path = folder / name
        return str(path) if path.is_file() else ""

    return TlsFiles(
        ca=present("ca.pem"), cert=present("cert.pem"), key=present("key.pem"), verify=verify
    )


def _from_context(folder: Path, name: str) -> Endpoint:
    """The endpoint of a Docker context (`docker context create`)."""
    # Source: docker/cli, cli/context/store: a context's folder is the SHA-256 of its name.
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest / "meta.json"
    if not meta.is_file():
        raise EngineUnreachable(
            f"there is no Docker context {name!r}: `docker context ls` shows those that exist, "
            "`docker context use <name>` or DOCKER_CONTEXT chooses one"
        )
    target = _read(meta, _ContextMeta).endpoints.docker
    tls_folder = folder / "contexts" / "tls" / digest / "docker"
    files = _tls_files(tls_folder, verify=not target.skip_verify) if tls_folder.is_dir() else None
    if not target.host:
        return Endpoint(kind="unix", path=DEFAULT_SOCKET, source=f"context {name}")
    return _parse(target.host, f"context {name}", tls=files)


def _known_socket(environ: Mapping[str, str]) -> str:
    """The first of the usual sockets that exists; the system's one if none does."""
    home = Path(environ.get("HOME") or Path.home())
    candidates = [Path(DEFAULT_SOCKET)]
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        candidates.append(Path(runtime) / "docker.sock")
    candidates += [home / ".docker/run/docker.sock", home / ".docker/desktop/docker.sock"]
    return next((str(path) for path in candidates if path.exists()), DEFAULT_SOCKET)


def _parse(address: str, source: str, *, tls: TlsFiles | None) -> Endpoint:
    """An address as `DOCKER_HOST` spells it."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise _unusable(address, source) from error
    match parts.scheme:
        case "unix" if parts.path:
            return Endpoint(kind="unix", path=parts.path, source=source)
        case "tcp" | "http" | "https" if parts.hostname:
            return _network(parts, source, tls)
        case "ssh" if parts.hostname:
            return Endpoint(
                kind="ssh",
                host=parts.hostname,
                port=parts.port or _SSH_PORT,
                user=parts.username or "",
                source=source,
            )
        case _:
            raise _unusable(address, source)


def _network(parts: SplitResult, source: str, tls: TlsFiles | None) -> Endpoint:
    """An engine behind TCP, with TLS where certificates or the scheme ask for it."""
    if parts.scheme == "https" and tls is None:
        tls = TlsFiles()
    return Endpoint(
        kind="tls" if tls else "tcp",
        host=parts.hostname or "",
        port=parts.port or (_TLS_PORT if tls else _PLAIN_PORT),
        tls=tls,
        source=source,
    )


def _unusable(address: str, source: str) -> EngineUnreachable:
    if address.startswith("npipe:"):
        return EngineUnreachable(
            f"{source} names a Windows pipe ({address}): run the gateway inside WSL 2, "
            "where Docker Desktop offers a unix socket"
        )
    return EngineUnreachable(
        f"{source} is {address!r}, which is no engine address: "
        "use unix:///path, tcp://host:port or ssh://user@host"
    )


def _read(path: Path, shape: type[_T]) -> _T:
    """A JSON file of Docker's own; what is absent or unreadable counts as empty, as Docker itself has it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (OSError, msgspec.DecodeError):
        return shape()
