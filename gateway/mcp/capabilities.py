"""What servers and clients can do, and what is offered to each other. Must not know any one of them.

Source: MCP 2025-11-25, lifecycle, "Capability negotiation"; MCP 2026-07-28, schema, "ClientCapabilities".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.mcp import tasks, versions
from gateway.mcp.extensions import declared
from gateway.mcp.listing import KINDS, Kind
from gateway.mcp.params import Fields, pack

_EMPTY: Final = msgspec.Raw(b"{}")
_TRUE: Final = msgspec.Raw(b"true")
_LIST_CHANGED: Final = msgspec.Raw(b'{"listChanged":true}')
_TASKS: Final = msgspec.Raw(b'{"cancel":{},"requests":{"tools":{"call":{}}}}')
"""Without `list`: a list would have to be asked of every server, started or not."""
_SUBSCRIBE: Final = msgspec.Raw(b'{"listChanged":true,"subscribe":true}')

_decode_fields = msgspec.json.Decoder(Fields).decode

_CAPABILITY: Final[Mapping[Kind, str]] = {
    "tools": "tools",
    "prompts": "prompts",
    "resources": "resources",
    "templates": "resources",
}
"""The capability under which a server announces each list."""


def listed_kinds(capabilities: Mapping[str, msgspec.Raw]) -> tuple[Kind, ...]:
    """The lists that a server with these capabilities can be asked for."""
    return tuple(kind for kind in KINDS if _CAPABILITY[kind] in capabilities)


def tells_changes(capabilities: Mapping[str, msgspec.Raw], name: str) -> bool:
    """Whether a server tells when its list under that capability changes."""
    return _flag(capabilities.get(name, _EMPTY), "listChanged")


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
    if any(tasks.serves_calls(capabilities) for capabilities in known):
        offer["tasks"] = _TASKS
    return offer


def offered_modern(
    upstreams: Iterable[Mapping[str, msgspec.Raw]],
) -> dict[str, msgspec.Raw]:
    """The capabilities that `server/discover` shows: the same for everybody, with the extensions that are relayed.

    Subscriptions are answered by the gateway itself, whatever its servers can do.
    """
    extensions: Fields = {}
    known = tuple(upstreams)
    offer = {**offered(known), "resources": _SUBSCRIBE}
    offer.pop("tasks", None)
    for capabilities in known:
        extensions.update(declared(capabilities.get("extensions")))
    if extensions:
        offer["extensions"] = pack(extensions)
    return offer


def client_to_modern(capabilities: Mapping[str, msgspec.Raw]) -> Fields:
    """A legacy client's capabilities as they are said to a modern server: clients hold no tasks there, roots never change."""
    kept = {name: value for name, value in capabilities.items() if name != "tasks"}
    return {**kept, "roots": _EMPTY} if "roots" in kept else kept


def client_to_legacy(capabilities: Mapping[str, msgspec.Raw], version: str) -> Fields:
    """A client's capabilities as they are said to a server of that revision: without what it does not know."""
    kept = dict(capabilities)
    row = versions.find(version)
    if row is None or not row.tasks:
        kept.pop("tasks", None)
    if row is None or not row.elicitation:
        kept.pop("elicitation", None)
    elif not row.url_elicitation and "elicitation" in kept:
        modes = _modes(kept["elicitation"])
        if modes and "form" not in modes:
            del kept["elicitation"]
        else:
            kept["elicitation"] = _EMPTY
    return kept


def _subscribes(capabilities: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a server tells of changes of single resources."""
    return _flag(capabilities.get("resources", _EMPTY), "subscribe")


def _flag(capability: msgspec.Raw, name: str) -> bool:
    try:
        return _decode_fields(capability).get(name) == _TRUE
    except (msgspec.DecodeError, RecursionError):
        return False


def _modes(elicitation: msgspec.Raw) -> Fields:
    try:
        return _decode_fields(elicitation)
    except (msgspec.DecodeError, RecursionError):
        return {}
