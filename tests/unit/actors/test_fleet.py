"""The set of a server's containers: short cuts to owners, retiring."""

from __future__ import annotations

from typing import cast

from actors.container import Container
from actors.fleet import Fleet


class Parked:
    """A container that only notes what is asked of it."""

    def __init__(self, key: int, owner: str | None = None) -> None:
        self.key = key
        self.owner = owner
        self.inflight = 0
        self.stale = False
        self.stopped = False
        self.frozen = False

    def has_room(self, max_inflight: int) -> bool:
        """Whether it takes one more call."""
        return not self.stale and self.inflight < max_inflight

    def retire(self) -> None:
        """No more calls."""
        self.stale = True

    @property
    def freezable(self) -> bool:
        """Whether it is idle."""
        return not self.inflight

    def freeze(self) -> None:
        """Stands still."""
        self.frozen = True

    def stop(self) -> None:
        """Goes away."""
        self.stopped = True


def fleet_of(*parked: Parked) -> Fleet:
    """A fleet of these."""
    fleet = Fleet()
    for one in parked:
        fleet.add(cast("Container", one))
        if one.owner is not None:
            fleet.hand_over(cast("Container", one), one.owner)
    return fleet


def test_the_newest_container_of_an_owner_is_its_short_cut() -> None:
    """Retiring an older one leaves the short cut to the newer."""
    old, new = Parked(1, "a"), Parked(2, "a")
    fleet = fleet_of(old, new)
    fleet.retire(cast("Container", old))
    assert fleet.by_owner == {"a": new}
    assert fleet.live() == [new]
    assert fleet.owned("a") == [old, new]
    fleet.remove(cast("Container", new))
    assert fleet.by_owner == {}
    assert list(fleet) == [old]


def test_a_busy_container_ends_after_its_calls() -> None:
    """An idle one at once."""
    busy, idle = Parked(1, "a"), Parked(2)
    busy.inflight = 1
    fleet = fleet_of(busy, idle)
    for one in (busy, idle):
        fleet.retire(cast("Container", one))
    assert (busy.stopped, idle.stopped) == (False, True)


def test_numbers_are_never_used_again() -> None:
    """Not even those of containers that are gone."""
    fleet = Fleet()
    first = fleet.next_key()
    fleet.clear()
    assert fleet.next_key() > first


def test_a_frozen_container_is_found_but_not_by_the_short_cut() -> None:
    """A call must thaw it first; a note may wait in it. What works is not frozen."""
    idle, busy = Parked(1, "a"), Parked(2, "b")
    busy.inflight = 1
    fleet = fleet_of(idle, busy)
    for one in (idle, busy):
        fleet.freeze(cast("Container", one))
    assert fleet.by_owner == {"b": busy}
    assert fleet.of("a") is idle
    assert fleet.of("c") is None


def test_a_spare_is_taken_once() -> None:
    """The last of its kind is the next one; of another kind there is none."""
    first, second = Parked(1), Parked(2)
    fleet = fleet_of(first, second)
    fleet.set_out({"": [1, 2]})
    assert fleet.take_spare("x", 1) is None
    assert fleet.take_spare("", 1) is second
    assert fleet.take_spare("", 1) is first
    assert fleet.take_spare("", 1) is None


def test_what_became_unfit_since_it_was_set_out_is_passed_over() -> None:
    """Somebody's, frozen, retired or busy: whether a container may be used is looked at when it is taken."""
    owned, frozen, retired, busy, good = (Parked(key) for key in range(5))
    fleet = fleet_of(owned, frozen, retired, busy, good)
    fleet.set_out({"": [4, 3, 2, 1, 0]})
    fleet.hand_over(cast("Container", owned), "a")
    fleet.freeze(cast("Container", frozen))
    fleet.retire(cast("Container", retired))
    busy.inflight = 1
    assert fleet.take_spare("", 1) is good
