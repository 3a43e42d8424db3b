"""What an entry may not ask for, and why. Pure; must not know how an entry is filled, or how a server is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.catalog.model import RemoteTransport, ServerEntry
from gateway.errors import CatalogError

WEBSOCKET_SCHEMES: Final = ("wss://", "ws://")
_REACHING_CAPS: Final = frozenset({"ALL", "NET_ADMIN", "NET_RAW", "SYS_ADMIN"})
"""Capabilities that reach everything in a network namespace."""


def checked_user(user: str) -> str:
    """A user as it may be handed to an engine.

    Raises:
        CatalogError
    """
    if user.startswith("-") or any(character.isspace() for character in user):
        raise CatalogError(f"`user` must not begin with '-' or hold white space: {user!r}")
    return user


def check_remote(url: str, transport: RemoteTransport, headers: Mapping[str, str]) -> None:
    """Refuses what would not be one request to one web server; never shows a header's value.

    Raises:
        CatalogError
    """
    is_socket = transport == "websocket"
    schemes = WEBSOCKET_SCHEMES if is_socket else ("https://", "http://")
    if not url.startswith(schemes) or any(character.isspace() for character in url):
        raise CatalogError(
            f"`remote.url` must be {'a ws or wss' if is_socket else 'an http or https'} URL"
        )
    for name, value in headers.items():
        if not name.isascii() or not (name + value).isprintable():
            raise CatalogError(
                f"the header {name!r} holds a line break or another control character"
            )


def check_shared_network(entry: ServerEntry) -> None:
    """Refuses what cannot share a network, or would own what it shares.

    Raises:
        CatalogError
    """
    if not entry.pool.shared_network:
        return
    if not entry.image:
        raise CatalogError(
            "`pool.shared_network` is for servers that run as containers: leave it out"
        )
    if caps := sorted(_REACHING_CAPS.intersection(entry.caps)):
        raise CatalogError(
            f"`pool.shared_network` does not go with the capability {caps[0]}, by which one container could read and "
            "change what the others send: leave out one of the two"
        )
