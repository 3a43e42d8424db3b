"""For how long a modern server's result may be kept, and by whom. Must not know what keeps it.

Source: MCP 2026-07-28, server features, utilities, "Caching".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

TTL: Final = "ttlMs"
SCOPE: Final = "cacheScope"

_decode_text = msgspec.json.Decoder(str).decode
_decode_number = msgspec.json.Decoder(int | float).decode


class CacheHint(msgspec.Struct, frozen=True):
    """For how many milliseconds a result may be kept, and whether for its caller alone. The default: not at all."""

    ttl_ms: int = 0
    private: bool = True


def cache_hint(result: Mapping[str, msgspec.Raw]) -> CacheHint:
    """What a server says of its result; the default where it says nothing usable, as legacy ones do."""
    try:
        ttl = _decode_number(result[TTL])
        scope = _decode_text(result[SCOPE])
    except (KeyError, msgspec.DecodeError):
        return CacheHint()
    return CacheHint(max(0, int(ttl)), scope != "public")


def merged_hint(hints: Iterable[CacheHint]) -> CacheHint:
    """What holds for a list that was made of several: the shortest time, and private where one part is."""
    listed = list(hints)
    return CacheHint(
        min((hint.ttl_ms for hint in listed), default=0),
        not listed or any(hint.private for hint in listed),
    )
