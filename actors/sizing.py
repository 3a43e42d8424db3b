"""How many spares a server should have, and which kind is missing. Pure: what is known in, decisions out.

The floor (`pool.warm`) holds always, the ceiling (`pool.max`) too. Between them the arrival history decides, and only
`idle_s` long after the last arrival: then nothing is left of a server that has no floor.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec

from actors.arrivals import Arrivals
from actors.assignment import Slot
from gateway import limits
from gateway.catalog.model import Pooling

UNSPOKEN = None
"""The kind of a spare that was not greeted yet: it can be, in the name of any client."""

Kind = str | None
"""What a spare was told of its client (`Slot.profile`), or `UNSPOKEN`."""


class Forecast(msgspec.Struct, frozen=True):
    """How many spares there should be now, and when to ask again (infinite: once somebody has come)."""

    spares: int
    until: float


def forecast(arrivals: Arrivals, pooling: Pooling, now: float, *, start_s: float) -> Forecast:
    """The spares that the history asks for, the floor included.

    Args:
        arrivals: owners who came and needed a container.
        pooling: the server's rules.
        now: on the clock of `arrivals`.
        start_s: how long a start takes; spares are there that much before they are needed.
    """
    floor = min(pooling.warm, pooling.max)
    window = arrivals.window(idle_s=pooling.idle_s)
    if window is None or now >= window[1]:
        return Forecast(floor, math.inf)
    begin, end = window
    if now < begin - start_s:
        return Forecast(floor, begin - start_s)
    ahead = min(arrivals.during(start_s), limits.SPARES_AHEAD)
    return Forecast(min(max(floor, ahead), pooling.max), end)


def shares(spares: int, recent: Collection[str]) -> Mapping[Kind, int]:
    """How many spares of each kind there should be.

    Each profile gets its share of those clients that came last; the rest is left unspoken, and serves anyone.

    Args:
        spares: how many there should be.
        recent: the profiles of the clients that came last.
    """
    counts = Counter(recent)
    if not counts or not spares:
        return {UNSPOKEN: spares}
    if len(counts) == 1 and spares == 1:
        return dict.fromkeys(counts, 1)
    greeted: dict[Kind, int] = {
        key: (spares - 1) * count // len(recent) for key, count in counts.items()
    }
    return {UNSPOKEN: spares - sum(greeted.values()), **greeted}


def missing_kinds(slots: Iterable[Slot], spares: int, recent: Collection[str]) -> list[Kind]:
    """What to start so that there are `spares` spares, the scarcest kinds first."""
    idle = [slot for slot in slots if slot.owner is None and not slot.stale]
    have: Counter[Kind] = Counter(slot.kind for slot in idle)
    wanted: list[Kind] = []
    for kind, count in shares(spares, recent).items():
        wanted += [kind] * (count - have[kind])
    return wanted[: max(0, spares - len(idle))]


def to_greet(slots: Iterable[Slot], profile: str) -> int | None:
    """The unspoken spare to greet because a client of that profile came; None where a spare awaits it, or none is left."""
    spares = [slot for slot in slots if slot.owner is None and not slot.stale]
    if any(slot.kind == profile for slot in spares):
        return None
    unspoken = [slot for slot in spares if slot.kind is UNSPOKEN]
    # One that is open already answers soonest.
    return min(unspoken, key=lambda slot: (not slot.open, slot.key)).key if unspoken else None
