"""Addresses of remote servers: what may be shown, and what is the same place. Pure.

A URL may hold a key in its user part or query, so only scheme, host, port and path are ever shown.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SOCKET_PORTS: Final = {"ws": 80, "wss": 443}

Origin = tuple[str, str, int | None]
"""Scheme, host and port: headers with secrets never go to another one."""


def origin(url: str) -> Origin | None:
    """The origin of an http or https URL; None where it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return scheme, parts.hostname.lower(), port or _DEFAULT_PORTS[scheme]


class SocketAddress(msgspec.Struct, frozen=True):
    """Where a WebSocket is opened. `authority` is host and port as the `Host` header has them; `resource` path and query."""

    host: str
    port: int
    authority: str
    resource: str
    tls: bool


def socket_address(url: str) -> SocketAddress | None:
    """The address in a ws or wss URL; None where it is none, or names a user, who has no place in the handshake."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _SOCKET_PORTS or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return SocketAddress(
        parts.hostname,
        port or _SOCKET_PORTS[scheme],
        f"{host}:{port}" if port else host,
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        tls=scheme == "wss",
    )


def within(base: str, target: str) -> str | None:
    """The absolute form of `target` as seen from `base`; None where it leads to another origin."""
    try:
        absolute = urljoin(base, target)
    except ValueError:
        return None
    return absolute if origin(absolute) is not None and origin(absolute) == origin(base) else None


def shown(url: str) -> str:
    """The URL as a person may see it."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}"
