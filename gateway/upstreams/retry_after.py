"""When a server wants to be asked again, as its `Retry-After` says. Must not know what was asked, nor who waits.

Source: RFC 9110 §10.2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST: Final = 40
"""Characters of the header that are looked at: a date has 29."""


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds from now (or from `now`), 0 for what is past; None where the header is missing, or says nothing."""
    said = headers.get("retry-after", "").strip()[:_LONGEST]
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        due = parsedate_to_datetime(said)
    except ValueError:
        return None
    if due.tzinfo is None:
        due = due.replace(tzinfo=UTC)
    return max(0.0, (due - (now or datetime.now(UTC))).total_seconds())
