"""What a page of this package is made of. Must not know who sends it."""

from __future__ import annotations

import msgspec


class Page(msgspec.Struct, frozen=True):
    """A whole answer to a GET: status, body, and its media type."""

    status: int
    content_type: str
    body: bytes
