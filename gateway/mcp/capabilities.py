"""What servers can do, and what is offered to clients. Must not know any one server.

Source: MCP 2025-11-25, lifecycle, "Capability negotiation".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.mcp.listing import KINDS, Kind

_EMPTY: Final = msgspec.Raw(b"{}")
_LIST_CHANGED: Final = msgspec.Raw(b'{"listChanged":true}')
_SUBSCRIBE: Final = msgspec.Raw(b'{"subscribe":true,"listChanged":true}')

_CAPABILITY: Final[Mapping[Kind, str]] = {
    "tools": "tools",
    "prompts": "prompts",
    "resources": "resources",
    "templates": "resources",
}
"""The capability under which a server announces each list."""


class _Resources(msgspec.Struct):
    """The capability `resources`, as far as it matters here."""

    subscribe: bool = False


_decode_resources = msgspec.json.Decoder(_Resources).decode


def listed_kinds(capabilities: Mapping[str, msgspec.Raw]) -> tuple[Kind, ...]:
    """The lists that a server with these capabilities can be asked for."""
    return tuple(kind for kind in KINDS if _CAPABILITY[kind] in capabilities)


def offered(upstreams: Iterable[Mapping[str, msgspec.Raw]]) -> dict[str, msgspec.Raw]:
    """The capabilities shown to a client, given those of the servers known so far.

    Lists are always offered, changing: servers come and go while a client is connected, capabilities cannot. Logging
    is answered by the gateway itself. Completions and subscriptions are offered where a server has them, for clients
    act on that.
    """
    known = tuple(upstreams)
    subscribable = any(_subscribes(capabilities) for capabilities in known)
    offer = {
        "logging": _EMPTY,
        "prompts": _LIST_CHANGED,
        "resources": _SUBSCRIBE if subscribable else _LIST_CHANGED,
        "tools": _LIST_CHANGED,
    }
    if any("completions" in capabilities for capabilities in known):
        offer["completions"] = _EMPTY
    return offer


def _subscribes(capabilities: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a server tells of changes of single resources."""
    try:
        return _decode_resources(capabilities.get("resources", _EMPTY)).subscribe
    except msgspec.DecodeError:
        return False
