"""Our own opaque cursors. A cursor belongs to one state of a list, and is refused by every other.

Source: MCP 2025-11-25, utilities, "Pagination" (an invalid cursor is -32602).
"""

from __future__ import annotations

import base64
import binascii

from gateway.errors import InvalidParams


def encode_cursor(offset: int, fingerprint: str) -> str:
    """The cursor of the page that starts at `offset` in the list with that fingerprint."""
    return base64.urlsafe_b64encode(f"{offset}:{fingerprint}".encode()).decode()


def decode_cursor(cursor: str, fingerprint: str) -> int:
    """The offset in the list with that fingerprint.

    A list that changed between two pages would skip items or show them twice, without anybody knowing.

    Raises:
        InvalidParams: not one of our cursors, or the list has changed since.
    """
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
        offset, _, seen = text.partition(":")
        start = int(offset)
    except (binascii.Error, ValueError) as error:
        raise InvalidParams("The cursor is not one of this list's; list again.") from error
    if encode_cursor(start, seen) != cursor or start < 0:
        raise InvalidParams("The cursor is not one of this list's; list again.")
    if seen != fingerprint:
        raise InvalidParams("The list has changed since this cursor was given; list again.")
    return start
