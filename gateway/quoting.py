"""What somebody sent, in a text of ours. It may be of any length, and may hold anything."""

from __future__ import annotations

from typing import Final

QUOTED_CHARS: Final = 100


def quoted(value: str | float) -> str:
    """A text in quotes, on one line, or a number; cut where it is long."""
    if isinstance(value, str):
        return repr(value if len(value) <= QUOTED_CHARS else value[:QUOTED_CHARS] + "…")
    digits = repr(value)
    return digits if len(digits) <= QUOTED_CHARS else digits[:QUOTED_CHARS] + "…"
