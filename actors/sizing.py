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
    """How many spares there should be now, and when to ask again (infinite: once somebody has come).

    `awake`: so many of them are not frozen; of a floor one at least, for the first call.
    """

    spares: int
    until: float
    awake: int = 0


def forecast(arrivals: Arrivals, pooling: Pooling, now: float, *, start_s: float) -> Forecast:
    """The spares that the history asks for, the floor included.

    Args:
        arrivals: owners who came and needed a container.
        pooling: the server's rules.
        now: on the clock of `arrivals`.
        start_s: how long a start takes; spares are there that much before they are needed.
    """
    least = min(pooling.warm, pooling.max)
    window = arrivals.window(idle_s=pooling.idle_s)
    if window is None or now >= window[1]:
        return Forecast(least, math.inf, min(least, 1))
    begin, end = window
    if now < begin - start_s:
        return Forecast(least, begin - start_s, min(least, 1))
    ahead = min(arrivals.during(start_s), limits.SPARES_AHEAD)
    spares = min(max(least, ahead), pooling.max)
    return Forecast(spares, end, min(max(ahead, min(least, 1)), spares))


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


def floor(slots: Iterable[Slot], pooling: Pooling) -> list[Slot]:
    """The spares that the entry itself asks for: the freshest `pool.warm`."""
    spares = [slot for slot in slots if slot.owner is None and not slot.stale]
    return sorted(spares, key=lambda slot: slot.idle_since, reverse=True)[: pooling.warm]


def to_freeze(slots: Iterable[Slot], now: float, awake: int) -> tuple[list[int], float]:
    """The spares to freeze now, and when the next one is due.

    Args:
        slots: all containers.
        now: on the clock of `idle_since`.
        awake: so many of the freshest stay as they are.
    """
    spares = [slot for slot in slots if slot.owner is None and slot.ready and not slot.stale]
    spares.sort(key=lambda slot: slot.idle_since, reverse=True)
    due = [(slot.idle_since + limits.FREEZE_AFTER_S, slot.key) for slot in spares[awake:]]
    return [key for at, key in due if at <= now], min(
        (at for at, _ in due if at > now), default=math.inf
    )


def to_thaw(slots: Iterable[Slot], awake: int) -> list[int]:
    """The frozen spares to thaw so that as many are awake, or soon, as should be."""
    spares = [slot for slot in slots if slot.owner is None and not slot.stale]
    frozen = [slot.key for slot in spares if slot.frozen]
    return frozen[: max(0, awake - (len(spares) - len(frozen)))]


def to_wake(slots: Iterable[Slot], profile: str) -> int | None:
    """The frozen spare to thaw because a client of that profile came; None where another awaits it."""
    spares = [slot for slot in slots if slot.owner is None and not slot.stale]
    spares = [slot for slot in spares if slot.kind == profile]
    frozen = [slot.key for slot in spares if slot.frozen]
    return frozen[0] if frozen and len(frozen) == len(spares) else None
