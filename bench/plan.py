"""How much is measured. `make bench` takes the full plan; CI takes the quick one, which only shows that all of it works."""

from __future__ import annotations

from typing import Final

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a run. Every subject has one stint per round, then the next subject has its own: drift hits all alike."""

    rounds: int
    alone_s: float
    """One stint with one call in flight."""
    crowd_s: float
    """One stint with `depth` calls in flight."""
    depth: int
    warm_up_s: float
    """Calls before the first round that nobody counts."""
    starts_per_round: int
    listed_servers: int
    """Servers in the home whose cached `tools/list` is measured."""


FULL: Final = Plan(
    rounds=7,
    alone_s=1.0,
    crowd_s=1.0,
    depth=32,
    warm_up_s=0.5,
    starts_per_round=3,
    listed_servers=50,
)
QUICK: Final = Plan(
    rounds=2,
    alone_s=0.25,
    crowd_s=0.25,
    depth=32,
    warm_up_s=0.1,
    starts_per_round=1,
    listed_servers=8,
)
