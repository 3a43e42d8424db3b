"""What becomes of extensions that the gateway does not know, and of those that it does: the relay policy. Pure.

Extensions are declared by name, on both sides. One that lives in requests, results and `_meta` alone crosses the
gateway untouched, so that relaying is the rule; one that needs the gateway's help is declared only where it helps.

Source: MCP 2026-07-28, basic, "Capabilities", "Extensions"; SEP-2133.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gateway.mcp.params import Fields, pack
from gateway.mcp.tasks import EXTENSION as TASKS
from gateway.mcp.versions import Era

Policy = Literal["relay", "strip"]
"""`relay`: declared to the other side as it was declared to us. `strip`: not declared, so that nobody makes use of it."""

MODERN_ONLY: Final[Mapping[str, Policy]] = {TASKS: "relay"}
"""Extensions of the modern era that mean nothing, or something else, in the older one."""

_decode_fields = msgspec.json.Decoder(Fields).decode


def policy(name: str, era: Era) -> Policy:
    """What becomes of the extension of that name, as a peer of that era declares it."""
    if era == "legacy" and name in MODERN_ONLY:
        return "strip"
    return MODERN_ONLY.get(name, "relay")


def declared(extensions: msgspec.Raw | None, era: Era = "modern") -> Fields:
    """The extensions that are declared to the other side; none where they are no object."""
    try:
        names = _decode_fields(extensions or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return {}
    return {name: raw for name, raw in names.items() if policy(name, era) == "relay"}


def relayed(extensions: msgspec.Raw | None, era: Era) -> msgspec.Raw | None:
    """The same as JSON; None where there are none."""
    kept = declared(extensions, era)
    return pack(kept) if kept else None
