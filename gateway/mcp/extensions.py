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

Policy = Literal["relay", "strip"]
"""`relay`: declared to the other side as it was declared to us. `strip`: not declared, so that nobody makes use of it."""

POLICIES: Final[Mapping[str, Policy]] = {
    # Its ids name tasks of one server; they are only handed out where the gateway can find the way back.
    TASKS: "strip",
}
"""The extensions that are not simply relayed."""

_decode_fields = msgspec.json.Decoder(Fields).decode


def policy(name: str) -> Policy:
    """What becomes of the extension of that name."""
    return POLICIES.get(name, "relay")


def relayed(extensions: msgspec.Raw | None) -> msgspec.Raw | None:
    """The extensions that are declared to the other side; None where there are none, or where they are no object."""
    try:
        declared = _decode_fields(extensions or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return None
    kept = {name: raw for name, raw in declared.items() if policy(name) == "relay"}
    return pack(kept) if kept else None
