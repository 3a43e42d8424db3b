"""What to freeze and what to stop so that all containers together stay within a memory budget. Pure: holdings in, names out.

What works is never touched: calls come before the budget, which bounds what is kept for later ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gateway import limits


class Holding(msgspec.Struct, frozen=True):
    """One container. `idle`: it may be stopped. `awake`: it may be frozen. `floor`: it is a spare that `pool.warm` asks for."""

    server: str
    key: int
    used_bytes: int
    idle_since: float
    idle: bool = True
    awake: bool = False
    owned: bool = False
    floor: bool = False


class Relief(msgspec.Struct, frozen=True):
    """The containers to freeze and to stop, by server and number."""

    freeze: tuple[tuple[str, int], ...] = ()
    stop: tuple[tuple[str, int], ...] = ()


def relieve(holdings: Sequence[Holding], budget_bytes: int, *, needed_bytes: int = 0) -> Relief:
    """What to do about the containers that there are.

    Near the budget what is idle is frozen, for what stands still does not grow; beyond it the least valuable are stopped,
    until the rest fits or nothing idle is left.

    Args:
        holdings: all containers.
        budget_bytes: what they may use together.
        needed_bytes: what else is about to be used.
    """
    held = needed_bytes + sum(one.used_bytes for one in holdings)
    near = held > budget_bytes * limits.FREEZE_SHARE
    stop: list[tuple[str, int]] = []
    for one in _least_valuable(holdings):
        if held <= budget_bytes:
            break
        stop.append((one.server, one.key))
        held -= one.used_bytes
    freeze = [
        (one.server, one.key)
        for one in holdings
        if near and one.idle and one.awake and (one.server, one.key) not in stop
    ]
    return Relief(tuple(freeze), tuple(stop))


def _least_valuable(holdings: Iterable[Holding]) -> list[Holding]:
    """The idle ones: spares that nobody asked for, then what has an owner, then the floor; the longest idle of each first."""
    idle = [one for one in holdings if one.idle]
    return sorted(idle, key=lambda one: (one.floor, one.owned, one.idle_since))
