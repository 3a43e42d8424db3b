"""Telling modern requests from others, and what they say of themselves. No I/O; must not know HTTP.

Only what is asked for is cut out of the params: what is long in them is passed over.

Source: MCP 2026-07-28, basic, "_meta".
"""

from __future__ import annotations

import msgspec

from gateway.jsonrpc.messages import Message, Request
from gateway.mcp import meta
from gateway.mcp.params import Fields


class ModernRequest(msgspec.Struct, frozen=True):
    """The revision that a request names, its whole `_meta`, and those of its params that are repeated elsewhere."""

    version: str
    meta: Fields
    members: Fields

    @property
    def tool(self) -> str | None:
        """The name of the tool that it calls; None where it is no text, for the server to refuse."""
        try:
            return _decode_text(self.members["name"])
        except (KeyError, msgspec.DecodeError):
            return None


class _Params(msgspec.Struct):
    meta: Fields = msgspec.field(name="_meta")
    name: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    uri: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    task_id: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="taskId")
    arguments: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_params = msgspec.json.Decoder(_Params).decode
_decode_text = msgspec.json.Decoder(str).decode


def is_modern(message: Message) -> bool:
    """Whether this is a request of the modern era: its `_meta` says so, and nothing else does."""
    return isinstance(message, Request) and read_modern(message) is not None


def read_modern(request: Request) -> ModernRequest | None:
    """What a request says of itself; None where it is none of the modern era."""
    try:
        params = _decode_params(request.params or b"")
        version = _decode_text(params.meta[meta.VERSION])
    except (KeyError, msgspec.DecodeError, RecursionError):
        return None
    repeated = {
        "name": params.name,
        "uri": params.uri,
        "taskId": params.task_id,
        "arguments": params.arguments,
    }
    members = {name: value for name, value in repeated.items() if value is not msgspec.UNSET}
    return ModernRequest(version, params.meta, members)
