"""Which requests do no harm when they are executed twice, as far as the protocol and the tool's annotations say. No I/O.

Must not know whether anything is sent twice. Annotations are hints of a server about itself.

Source: MCP 2025-11-25, server features, "Tools", `ToolAnnotations`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.mcp.params import Fields

READING: Final = frozenset({"prompts/get", "resources/read", "completion/complete"})
"""Methods that change nothing, whatever they are asked for."""


class _Annotations(msgspec.Struct):
    """What a tool says of itself, as far as it matters here; what is none of these values says nothing."""

    read_only: bool = msgspec.field(default=False, name="readOnlyHint")
    idempotent: bool = msgspec.field(default=False, name="idempotentHint")


_decode = msgspec.json.Decoder(_Annotations).decode


def is_harmless(tool: Fields) -> bool:
    """Whether a tool, as its server lists it, is annotated as read-only or as idempotent."""
    try:
        annotations = _decode(tool["annotations"])
    except (KeyError, msgspec.DecodeError):
        return False
    return annotations.read_only or annotations.idempotent
