"""The decisions of the container pool, as pure functions: slots in, decision out. Must not do anything.

A slot is one container from the moment that its start is decided until it is removed. Architecture §4 has the table
of isolations; the rule behind all of it: a slot that was ever handed to an owner never serves another one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from gateway import limits
from gateway.catalog.model import Pooling

EVERYBODY = "*"
"""The owner of all calls under `shared` isolation."""


class Slot(msgspec.Struct, frozen=True):
    """What the decisions need to know of one container.

    `owner` is None for a spare. `stale`: its spec is outdated, or it is on its way out; it takes no new call.
    `idle_since` is the time of its last activity. `profile` is the key of what the server was told of its client.
    `pinned`: it holds subscriptions, and must stay though it is idle. `stopping`: nothing more is to be decided of it.
    `told`: it was told of a client, or will be as soon as it is open; a spare that was not can be greeted for anyone.
    `open`: it runs, greeted or not. `frozen`: it stands still, and is ready once it was thawed.
    """

    key: int
    owner: str | None
    ready: bool
    inflight: int
    stale: bool
    idle_since: float
    profile: str = ""
    pinned: bool = False
    stopping: bool = False
    told: bool = True
    open: bool = True
    frozen: bool = False

    @property
    def kind(self) -> str | None:
        """What it was told of its client, None where it was not told yet."""
        return self.profile if self.told else None


class Use(msgspec.Struct, frozen=True):
    """Send the call to this slot now; it belongs to the call's owner from now on."""

    key: int


class Await(msgspec.Struct, frozen=True):
    """Queue the call: something that is under way will serve it."""


class Claim(msgspec.Struct, frozen=True):
    """Queue the call: this slot is its owner's from now on, and serves it once it is greeted or thawed."""

    key: int


class Start(msgspec.Struct, frozen=True):
    """Queue the call and start a container for its owner, first stopping the slot `evict` if there is one."""

    evict: int | None = None


Decision = Use | Await | Claim | Start


def place(
    slots: Sequence[Slot], owner: str, pooling: Pooling, *, waiting: int, profile: str = ""
) -> Decision:
    """Where a call of `owner` goes.

    Args:
        slots: every container of the server, stale ones included.
        owner: the call's owner.
        pooling: the server's rules.
        waiting: calls of this owner that are queued already (without this one).
        profile: the key of what the server must have been told of its client.
    """
    own = [slot for slot in slots if slot.owner == owner and not slot.stale]
    free = [slot for slot in own if _has_room(slot, pooling)]
    if free:
        return Use(min(free, key=lambda slot: slot.inflight).key)
    if frozen := [slot for slot in own if slot.frozen]:
        return Claim(frozen[0].key)
    if own and owner != EVERYBODY:
        return Await()
    spare = _spare_for(profile, slots, pooling)
    starting = sum(1 for slot in own if not slot.ready)
    underway = starting and waiting < starting * pooling.max_inflight
    if spare is not None and not (isinstance(spare, Claim) and underway):
        return spare
    return Await() if underway else _start(slots, owner, pooling)


def _spare_for(profile: str, slots: Sequence[Slot], pooling: Pooling) -> Use | Claim | None:
    """The best spare for a call: a ready one, else the one that will be soonest."""
    spares = [
        slot
        for slot in slots
        if slot.owner is None and not slot.stale and slot.kind in {profile, None}
    ]
    ready = [slot for slot in spares if _has_room(slot, pooling)]
    if ready:
        return Use(max(ready, key=lambda slot: slot.idle_since).key)
    return Claim(min(spares, key=_till_ready).key) if spares else None


def ready_spares(slots: Iterable[Slot], pooling: Pooling) -> dict[str, list[int]]:
    """The spares that `place` has a call use whose owner has no slot, by kind, in the order from the last to the next."""
    spares: dict[str, list[int]] = {}
    for slot in sorted(slots, key=lambda slot: slot.idle_since):
        if slot.owner is None and not slot.stale and slot.told and _has_room(slot, pooling):
            spares.setdefault(slot.profile, []).append(slot.key)
    return spares


def _start(slots: Sequence[Slot], owner: str, pooling: Pooling) -> Start | Await:
    """One more container, in place of somebody's idle one where there are too many."""
    if len(slots) < pooling.max:
        return Start()
    # Those that were evicted and still stop count: a crowd must not outrun the engine.
    victim = _victim(slots, owner) if len(slots) < 2 * pooling.max else None
    return Start(evict=victim) if victim is not None else Await()


def _till_ready(slot: Slot) -> tuple[bool, bool, bool, int]:
    """Orders spares by how soon they are ready: what runs, what is awake, what is told already, what was started first."""
    return not slot.open, slot.frozen, not slot.told, slot.key


def _has_room(slot: Slot, pooling: Pooling) -> bool:
    """Whether a call can be sent to it now."""
    return slot.ready and slot.inflight < pooling.max_inflight


def _victim(slots: Iterable[Slot], owner: str) -> int | None:
    """The longest idle slot of somebody else, None if all of them work or start."""
    idle = [
        slot
        for slot in slots
        if (slot.ready or slot.frozen)
        and not slot.inflight
        and not slot.stale
        and not slot.pinned
        and slot.owner != owner
    ]
    return min(idle, key=lambda slot: slot.idle_since).key if idle else None


def expired(slots: Iterable[Slot], now: float, pooling: Pooling, *, spares: int) -> list[int]:
    """The slots to stop now: stale ones without a call, and those that have been idle for long enough."""
    return [slot.key for slot, expiry in _expiries(slots, pooling, spares) if expiry <= now]


def next_expiry(slots: Iterable[Slot], pooling: Pooling, *, spares: int) -> float | None:
    """When `expired` may next name a slot, on the clock of `idle_since`; None if time alone changes nothing."""
    return min((expiry for _, expiry in _expiries(slots, pooling, spares)), default=None)


def _expiries(slots: Iterable[Slot], pooling: Pooling, spares: int) -> Iterator[tuple[Slot, float]]:
    """The idle slots that do not stay, each with the time from which on it is not kept.

    What stays: the `spares` freshest spares, and the owned slots of a `long_lived` server until their owner leaves. A
    spare beyond those was started for its lists alone: a client that lists may call at once, so it is kept for a
    moment, and no longer.
    """
    spares_kept = 0
    for slot in sorted(slots, key=lambda slot: slot.idle_since, reverse=True):
        settled = slot.ready or slot.frozen or (slot.open and not slot.told)
        if slot.inflight or not settled or slot.stopping or (slot.pinned and not slot.stale):
            continue
        if slot.stale:
            yield slot, -math.inf
        elif slot.owner is None and spares_kept < spares:
            spares_kept += 1
        elif slot.owner is None:
            yield slot, slot.idle_since + min(pooling.idle_s, limits.LISTED_IDLE_S)
        elif not pooling.long_lived:
            yield slot, slot.idle_since + pooling.idle_s


def room(slots: Sequence[Slot], pooling: Pooling) -> int:
    """How many more containers there may be."""
    return max(0, pooling.max - len(slots))
