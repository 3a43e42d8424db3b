"""Log levels of servers' messages, and which of them pass. Must not know where messages go.

Source: MCP 2025-11-25 and 2026-07-28, server utilities, "Logging" (the levels of RFC 5424).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

LEVELS: Final = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)
"""All levels, the most talkative first."""

_RANK: Final[Mapping[str, int]] = {level: rank for rank, level in enumerate(LEVELS)}


def known(level: str) -> bool:
    """Whether there is such a level."""
    return level in _RANK


def passes(level: str, threshold: str | None) -> bool:
    """Whether a message of `level` is wanted by who asked for `threshold`; None wants nothing.

    A level that nobody knows passes every threshold: a message is rather shown than lost.
    """
    return threshold is not None and _RANK.get(level, len(LEVELS)) >= _RANK.get(threshold, 0)


def most_talkative(levels: Iterable[str | None]) -> str | None:
    """The level to ask a server for, so that everybody gets theirs; None where nobody wants messages."""
    wanted = [level for level in levels if level is not None]
    return min(wanted, key=lambda level: _RANK.get(level, 0), default=None)
