"""What browsers are told about reading our answers from another page's script. Pure.

Only pages that `--allow-origin` names get any of it; the rules about who may ask at all are in `gateway.auth.origin`.

Source: WHATWG Fetch, "CORS protocol".
"""

from __future__ import annotations

import re
from typing import Final

from gateway import limits
from gateway.transports.http import Headers

_VARY: Final = (b"vary", b"Origin")
_KNOWN: Final = (
    "Authorization",
    "Content-Type",
    "Accept",
    "Last-Event-ID",
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
)
_MIRRORED: Final = re.compile(r"mcp-param-[!#$%&'*+\-.^_`|~0-9a-z]+", re.IGNORECASE)


def sharing_headers(origin: str) -> Headers:
    """Headers of every answer to a page of that Origin."""
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"Mcp-Session-Id, WWW-Authenticate"),
        _VARY,
    )


def preflight_headers(wanted: str | None) -> Headers:
    """Further headers of the answer to a preflight: every method and header that MCP knows.

    Headers that repeat arguments of a call have names of their servers' making: those are allowed as they are asked for.
    """
    names = (part.strip() for part in (wanted or "").split(","))
    mirrored = [name for name in names if _MIRRORED.fullmatch(name)]
    return (
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (
            b"access-control-allow-headers",
            ", ".join([*_KNOWN, *mirrored]).encode(),
        ),
        (b"access-control-max-age", b"%d" % limits.CORS_MAX_AGE_S),
    )
