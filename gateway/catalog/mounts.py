r"""Volumes of an entry: which text means what, and which host paths a server never gets unasked. Pure.

Symbolic links are resolved by a function that the caller hands in; where it cannot see the engine's host (the
gateway in a container, a remote engine), links on that host are not seen either.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from gateway.catalog.model import Mount
from gateway.errors import CatalogError

_VOLUME: Final = re.compile(
    r"(?P<source>[A-Za-z]:[\\/][^:]*|[^:]*):(?P<target>[^:]*)(?::(?P<mode>[^:]*))?"
)
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")

_GUARDED_ROOTS: Final = (
    "/boot",
    "/dev",
    "/etc",
    "/proc",
    "/root",
    "/run",
    "/sys",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/run",
    "/private/etc",
    "/private/var/run",
    "/c/windows",
)
_GUARDED_SEGMENTS: Final = frozenset(
    {
        ".aws",
        ".azure",
        ".config",
        ".docker",
        ".gnupg",
        ".kube",
        ".netrc",
        ".npmrc",
        ".pypirc",
        ".ssh",
    }
)
_GUARDED_NAME: Final = re.compile(
    r"id_(rsa|dsa|ecdsa|ed25519)(_sk)?|docker\.sock|containerd\.sock|podman\.sock"
)
_MODES: Final = frozenset(
    {"", "ro", "rw", "readonly", "z", "Z", "cached", "delegated", "consistent", "nocopy"}
)
_HOMES: Final = frozenset({"/home", "/users"})


class MountRules(msgspec.Struct, frozen=True, kw_only=True):
    """What decides over one server's binds.

    `allowed` are its lines of `mounts:` in config.yaml; `home` is the user's home for `~`; `resolve` follows links.
    """

    server: str
    allowed: tuple[str, ...] = ()
    home: str = ""
    resolve: Callable[[str], str] = posixpath.normpath


def parse_mounts(volumes: Iterable[str], rules: MountRules) -> tuple[Mount, ...]:
    """Rendered `volumes` as mounts; empty ones are skipped.

    Raises:
        CatalogError: one is malformed, or binds a guarded path that config.yaml does not allow.
    """
    return tuple(_mount(volume.strip(), rules) for volume in volumes if volume.strip(" :"))


def _mount(volume: str, rules: MountRules) -> Mount:
    """One volume: `source:target[:mode]`, or only a target."""
    match = _VOLUME.fullmatch(volume)
    if volume.startswith("-") or (match is None and ":" in volume):
        raise CatalogError(f"the volume {volume!r} is not of the form source:target[:ro]")
    if match is None:
        return Mount("", _target(volume, volume))
    source, target = match["source"], _target(match["target"], volume)
    modes = set((match["mode"] or "").split(","))
    if not modes <= _MODES:
        raise CatalogError(f"the volume {volume!r} has an unknown mode: write ro or rw")
    read_only = bool(modes & {"ro", "readonly"})
    if _NAME.fullmatch(source):
        return Mount(source, target, read_only)
    path = _host_path(source, volume, rules)
    if reason := _guard(path, rules.home):
        read_only = _allowed_mode(path, reason, rules, read_only=read_only) or read_only
    return Mount(path, target, read_only, bind=True)


def _target(target: str, volume: str) -> str:
    if not target.startswith("/") or target.strip("/") == "" or "\0" in target:
        raise CatalogError(f"the volume {volume!r} must have an absolute path in the container")
    return target


def _host_path(source: str, volume: str, rules: MountRules) -> str:
    """The source of a bind as an absolute path without links."""
    path = _absolute(source, rules)
    if path is None:
        raise CatalogError(
            f"the volume {volume!r} names neither a volume nor an absolute path: write the whole path"
        )
    return path


def _absolute(written: str, rules: MountRules) -> str | None:
    """A host path with `~` filled in and links resolved; None where it is relative."""
    if rules.home and (written == "~" or written.startswith("~/")):
        written = rules.home + written[1:]
    if _DRIVE.match(written):
        return (
            written  # a path of Windows, which its engine understands and nobody here can resolve
        )
    if not written.startswith("/"):
        return None
    return rules.resolve(posixpath.normpath("/" + written.lstrip("/")))


# --- guarded paths ----------------------------------------------------------------------------------------------


def _guard(path: str, home: str) -> str:
    """Why this path is guarded, "" where it is not."""
    return next(_reasons(_comparable(path), _comparable(home) if home else ""), "")


def _reasons(path: str, home: str) -> Iterator[str]:
    """Everything that speaks against a comparable path."""
    if path == "/" or path in _HOMES:
        yield "holds the files of the whole machine"
    for root in _GUARDED_ROOTS:
        if path == root:
            yield "belongs to the system"
        if _covers(root, path):
            yield f"lies in {root}"
        if _covers(path, root):
            yield f"holds {root}"
    segments = path.split("/")
    for segment in segments:
        if segment in _GUARDED_SEGMENTS:
            yield f"holds credentials or settings ({segment})"
    if _GUARDED_NAME.fullmatch(segments[-1]):
        yield "is a key or an engine's socket"
    if home and _covers(path, home):
        yield "holds your whole home folder, keys included"


def _comparable(path: str) -> str:
    r"""The path casefolded (some file systems ignore letter case), with `C:\x` as `/c/x`."""
    if _DRIVE.match(path):
        path = posixpath.normpath(f"/{path[0]}/" + path[2:].replace("\\", "/"))
    return "/" + path.casefold().strip("/")


def _covers(outer: str, inner: str) -> bool:
    """Whether `inner` is `outer` or lies in it."""
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _allowed_mode(path: str, reason: str, rules: MountRules, *, read_only: bool) -> bool:
    """Whether the operator's line allows the path only for reading.

    Raises:
        CatalogError: no line allows it; tells the line that would.
    """
    for line in rules.allowed:
        allowed = _absolute(line.removesuffix(":ro").removesuffix(":rw"), rules)
        if allowed and _covers(_comparable(allowed), _comparable(path)):
            return not line.endswith(":rw")
    quoted = msgspec.json.encode(path if read_only else f"{path}:rw").decode()
    raise CatalogError(
        f"may not bind {path}, which {reason}; to allow it, add to config.yaml: "
        f"mounts: {{{_quoted_key(rules.server)}: [{quoted}]}}"
    )


def _quoted_key(name: str) -> str:
    """A server's name as a key of YAML's flow style."""
    return name if _NAME.fullmatch(name) else msgspec.json.encode(name).decode()
