"""What a client told of itself, as far as servers are told: the same capabilities, less what cannot be relayed.

A legacy server learns all this once, in `initialize`: running servers are told apart by it. A modern one is told with
each request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Final

import msgspec

from gateway.mcp.extensions import relayed
from gateway.mcp.versions import Era

_RELAYED: Final = frozenset({"elicitation", "experimental", "roots", "sampling"})
"""Client capabilities whose requests and notifications the gateway carries both ways."""

_KEY_BYTES: Final = 8


class ClientProfile(msgspec.Struct, frozen=True, dict=True):
    """What a server is told of its client. `log_level` is "" where the client has not asked for one.

    `era` is the client's own: its calls go to servers in that era where they know it, and answers come in its words.
    """

    capabilities: Mapping[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    log_level: str = ""
    era: Era = "legacy"

    @cached_property
    def key(self) -> str:
        """Equal for profiles that one running server can serve; the log level can be changed while it runs.

        Made once: every decision on where a call goes asks for that of its client and of each container.
        """
        if not self.capabilities:
            return ""
        text = msgspec.json.encode(dict(sorted(self.capabilities.items())))
        return hashlib.blake2b(text, digest_size=_KEY_BYTES).hexdigest()


NEUTRAL: Final = ClientProfile()
"""A client that can do nothing."""


def stranger(era: Era) -> ClientProfile:
    """A client of that era of which nothing may be told: what servers with more than one owner are told."""
    return ClientProfile(era=era)


def profile_of(
    capabilities: Mapping[str, msgspec.Raw], *, log_level: str = "", era: Era = "legacy"
) -> ClientProfile:
    """The profile of a client with these capabilities."""
    told = {name: raw for name, raw in capabilities.items() if name in _RELAYED}
    if (extensions := relayed(capabilities.get("extensions"), era)) is not None:
        told["extensions"] = extensions
    return ClientProfile(told, log_level, era)


def spoken_key(era: Era, greeting: ClientProfile) -> str:
    """Equal for clients that one running server of that era can serve without being started anew."""
    return "modern" if era == "modern" else greeting.key
