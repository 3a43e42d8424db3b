"""How much is measured. `make bench` takes the full plan; CI takes the quick one, which only shows that all of it works."""

from __future__ import annotations

from typing import Final

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a run. Every subject has one stint per round, then the next subject has its own: drift hits all alike."""

    look_s: float = 3.0
    """How long to look what other programs do, before the run and after it."""
    rounds: int
    awake_rounds: int
    """Of rows whose cores are kept awake."""
    paired_rounds: int
    """Of the row that is judged by an interval."""
    alone_s: float
    """One stint with one call in flight."""
    crowd_s: float
    """One stint with many calls in flight."""
    polite_s: float
    """One stint of 20 calls a second: its p99 needs many of them."""
    depth: int
    warm_up_s: float
    """Calls before the first round that nobody counts."""
    starts_per_round: int
    listed_servers: int
    """Servers in the home whose cached `tools/list` is measured."""
    burst: int
    """Sessions that are opened at once."""
    streams: int
    """SSE sessions whose memory is measured."""
    large_bytes: int
    """The size of a large result."""


FULL: Final = Plan(
    rounds=5,
    awake_rounds=9,
    paired_rounds=15,
    alone_s=0.5,
    crowd_s=1.0,
    polite_s=10.0,
    depth=32,
    warm_up_s=0.5,
    starts_per_round=3,
    listed_servers=50,
    burst=20,
    streams=200,
    large_bytes=10_000_000,
)
QUICK: Final = Plan(
    look_s=0.5,
    rounds=1,
    awake_rounds=1,
    paired_rounds=2,
    alone_s=0.2,
    crowd_s=0.3,
    polite_s=1.0,
    depth=32,
    warm_up_s=0.1,
    starts_per_round=1,
    listed_servers=4,
    burst=5,
    streams=20,
    large_bytes=1_000_000,
)
