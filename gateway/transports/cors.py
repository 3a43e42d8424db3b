"""What browsers are told about reading our answers from another page's script. Pure.

Only pages that `--allow-origin` names get any of it; the rules about who may ask at all are in `gateway.auth.origin`.

Source: WHATWG Fetch, "CORS protocol".
"""

from __future__ import annotations

from typing import Final

from gateway import limits
from gateway.transports.http import Headers

_VARY: Final = (b"vary", b"Origin")


def sharing_headers(origin: str) -> Headers:
    """Headers of every answer to a page of that Origin."""
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"Mcp-Session-Id, WWW-Authenticate"),
        _VARY,
    )


def preflight_headers() -> Headers:
    """Further headers of the answer to a preflight: every method and header that MCP knows."""
    return (
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (
            b"access-control-allow-headers",
            b"Authorization, Content-Type, Accept, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID",
        ),
        (b"access-control-max-age", b"%d" % limits.CORS_MAX_AGE_S),
    )
