"""The pool's decisions: the rule that a used container never serves another owner, and the economy around it."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.assignment import (
    EVERYBODY,
    Await,
    Claim,
    Slot,
    Start,
    Use,
    expired,
    next_expiry,
    place,
    ready_spares,
    room,
)
from gateway.catalog.model import Pooling

POOLING = Pooling(
    isolation="session",
    warm=0,
    max=3,
    idle_s=60.0,
    max_inflight=2,
    timeout_s=60.0,
    init_timeout_s=30.0,
    long_lived=False,
)


def slot(key: int, owner: str | None = None, **changes: object) -> Slot:
    """A ready, idle slot."""
    base = Slot(key=key, owner=owner, ready=True, inflight=0, stale=False, idle_since=0.0)
    return msgspec.structs.replace(base, **changes)


def test_an_owner_keeps_its_container() -> None:
    """A ready container of the owner is used, the least busy one first."""
    slots = [slot(1, "a", inflight=1), slot(2, "a"), slot(3, "b")]
    assert place(slots, "a", POOLING, waiting=0) == Use(2)


def test_a_full_container_makes_its_owner_wait() -> None:
    """A session's state lives in one container, so a full one is waited for, not doubled."""
    assert place([slot(1, "a", inflight=2)], "a", POOLING, waiting=0) == Await()


def test_everybody_gets_another_container_when_all_are_full() -> None:
    """Shared containers hold nobody's state: more of them are started up to the limit."""
    assert place([slot(1, EVERYBODY, inflight=2)], EVERYBODY, POOLING, waiting=0) == Start()


def test_starts_under_way_are_counted_on() -> None:
    """Callers who fit into containers that start already cause no further start."""
    starting = [slot(1, EVERYBODY, ready=False)]
    assert place(starting, EVERYBODY, POOLING, waiting=1) == Await()
    assert place(starting, EVERYBODY, POOLING, waiting=2) == Start()


def test_a_warm_spare_is_taken() -> None:
    """A spare that was never handed out becomes the owner's."""
    assert place([slot(1), slot(2, "b")], "a", POOLING, waiting=0) == Use(1)


def test_at_the_limit_the_longest_idle_container_goes() -> None:
    """Somebody else's idle container makes room; busy and starting ones never do."""
    slots = [
        slot(1, "b", idle_since=5.0),
        slot(2, "c", idle_since=3.0),
        slot(3, "d", inflight=1, idle_since=1.0),
    ]
    assert place(slots, "a", POOLING, waiting=0) == Start(evict=2)


def test_evictions_wait_for_those_that_still_stop() -> None:
    """A crowd of owners must not have containers started faster than the engine ends them."""
    stopping = [slot(n, f"o{n}", stale=True, stopping=True) for n in range(2, 2 * POOLING.max)]
    assert place([slot(1, "b"), *stopping], "a", POOLING, waiting=0) == Start(evict=1)
    one_more = slot(2 * POOLING.max, "c", stale=True, stopping=True)
    assert place([slot(1, "b"), *stopping, one_more], "a", POOLING, waiting=0) == Await()


def test_at_the_limit_with_all_busy_the_call_waits() -> None:
    """Nobody's call is killed for another's."""
    slots = [slot(n, f"o{n}", inflight=1) for n in range(3)]
    assert place(slots, "a", POOLING, waiting=0) == Await()


def test_idle_containers_expire_and_the_floor_of_spares_stays() -> None:
    """After `idle_s` only the spares that there should be are left."""
    slots = [slot(1), slot(2, idle_since=10.0), slot(3, "a"), slot(4, "b", inflight=1)]
    assert expired(slots, 60.0, POOLING, spares=1) == [1, 3]
    assert expired(slots, 59.9, POOLING, spares=1) == [1]
    assert expired(slots, 1.9, POOLING, spares=1) == []


def test_a_spare_that_was_only_listed_goes_soon() -> None:
    """Nothing runs before the first call, but for a moment after a first list."""
    assert expired([slot(1)], 1.9, POOLING, spares=0) == []
    assert expired([slot(1)], 2.0, POOLING, spares=0) == [1]


def test_the_floor_of_spares_is_not_waited_for() -> None:
    """Spares that stay have no expiry, or the pool would never sleep."""
    assert next_expiry([slot(1)], POOLING, spares=1) is None


def test_stale_containers_expire_as_soon_as_they_are_idle() -> None:
    """An outdated spec serves its last call and goes."""
    slots = [slot(1, "a", stale=True), slot(2, "a", stale=True, inflight=1)]
    assert expired(slots, 0.0, POOLING, spares=0) == [1]


def test_long_lived_containers_wait_for_their_owner() -> None:
    """`longLived` keeps a container for the whole session."""
    keep = msgspec.structs.replace(POOLING, long_lived=True)
    assert expired([slot(1, "a")], 1e9, keep, spares=0) == []
    assert next_expiry([slot(1, "a")], keep, spares=0) is None


def test_next_expiry_is_when_expired_first_changes() -> None:
    """The pool sleeps exactly that long."""
    slots = [slot(1, "a", idle_since=7.0), slot(2, "b", idle_since=3.0)]
    assert next_expiry(slots, POOLING, spares=0) == 63.0
    assert next_expiry([], POOLING, spares=0) is None


def test_what_is_told_to_stop_is_not_decided_of_again() -> None:
    """Its end takes time; meanwhile the pool sleeps."""
    stopping = [slot(1, "a", stale=True, stopping=True)]
    assert expired(stopping, 1e9, POOLING, spares=0) == []
    assert next_expiry(stopping, POOLING, spares=0) is None


def test_room_is_what_the_limit_leaves() -> None:
    """Containers on their way out still count: they use memory until they are gone."""
    assert room([slot(1), slot(2, "a", stale=True)], POOLING) == 1
    assert room([slot(n) for n in range(9)], POOLING) == 0


def test_a_spare_for_another_client_is_left_alone() -> None:
    """What a server was told of its client cannot be told anew."""
    assert place([slot(1, profile="x")], "a", POOLING, waiting=0, profile="y") == Start()


def test_the_spare_that_is_ready_soonest_is_claimed() -> None:
    """One that runs before one that starts, and of those the one that was started first."""
    unspoken = slot(3, ready=False, told=False)
    starting = [slot(n, ready=False, open=False, told=n == 2) for n in (1, 2)]
    assert place([*starting, unspoken], "a", POOLING, waiting=0) == Claim(3)
    assert place(starting, "a", POOLING, waiting=0) == Claim(2)
    assert place(starting, "a", POOLING, waiting=0, profile="other") == Claim(1)


def test_an_owner_has_its_frozen_container_thawed() -> None:
    """Its state is in there; another owner's is stopped for room like any idle one."""
    frozen = slot(1, "a", ready=False, frozen=True)
    assert place([frozen], "a", POOLING, waiting=0) == Claim(1)
    busy = [slot(n, f"o{n}", inflight=1) for n in (2, 3)]
    assert place([frozen, *busy], "b", POOLING, waiting=0) == Start(evict=1)
    assert expired([frozen], 60.0, POOLING, spares=0) == [1]


def test_a_frozen_spare_is_claimed_after_those_awake_and_before_those_that_start() -> None:
    """Thawing takes longer than a greeting, and much less than a start."""
    frozen = slot(1, ready=False, frozen=True)
    starting = slot(2, ready=False, open=False)
    unspoken = slot(3, ready=False, told=False)
    assert place([frozen, starting], "a", POOLING, waiting=0) == Claim(1)
    assert place([frozen, unspoken], "a", POOLING, waiting=0) == Claim(3)


def test_starts_under_way_come_before_further_spares() -> None:
    """A caller who fits into what starts for everybody claims nothing."""
    slots = [slot(1, EVERYBODY, ready=False), slot(2, ready=False)]
    assert place(slots, EVERYBODY, POOLING, waiting=1) == Await()
    assert place(slots, EVERYBODY, POOLING, waiting=2) == Claim(2)


def test_an_unspoken_spare_beyond_the_floor_goes_too() -> None:
    """It will never be ready by itself."""
    slots = [slot(1, ready=False, told=False), slot(2, ready=False, open=False, told=False)]
    assert expired(slots, 5.0, POOLING, spares=0) == [1]


slots_strategy = st.lists(
    st.builds(
        Slot,
        key=st.integers(1, 99),
        owner=st.sampled_from([None, "a", "b", EVERYBODY]),
        ready=st.booleans(),
        inflight=st.integers(0, 2),
        stale=st.booleans(),
        idle_since=st.floats(0, 100),
        profile=st.sampled_from(["", "x"]),
        told=st.booleans(),
        open=st.booleans(),
        frozen=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda one: one.key,
)


@given(slots_strategy, st.sampled_from(["a", "b", EVERYBODY]), st.integers(0, 5))
def test_a_used_container_never_serves_another_owner(
    slots: list[Slot], owner: str, waiting: int
) -> None:
    """Whatever the pool looks like, only own containers and spares are used, and nothing stale or full."""
    decision = place(slots, owner, POOLING, waiting=waiting)
    by_key = {one.key: one for one in slots}
    match decision:
        case Use(key):
            used = by_key[key]
            assert used.owner in {None, owner}
            assert used.ready
            assert not used.stale
            assert used.inflight < POOLING.max_inflight
        case Claim(key):
            claimed = by_key[key]
            assert not claimed.stale
            if claimed.owner is None:
                assert claimed.kind in {None, ""}
            else:
                assert claimed.owner == owner
                assert claimed.frozen
        case Start(evict) if evict is not None:
            assert by_key[evict].inflight == 0
            assert by_key[evict].owner != owner
        case Start():
            assert len(slots) < POOLING.max
        case Await():
            assert slots


@given(slots_strategy, st.sampled_from(["", "x"]))
def test_the_spares_that_are_known_beforehand_are_those_that_would_be_used(
    slots: list[Slot], profile: str
) -> None:
    """Taken one after the other they are what is decided for owners who come one after the other."""
    known = [one for one in slots if one.told]
    spares = ready_spares(known, POOLING).get(profile, [])
    for number in range(len(known) + 1):
        decision = place(known, f"new {number}", POOLING, waiting=0, profile=profile)
        if not spares:
            assert not isinstance(decision, Use)
            return
        assert isinstance(decision, Use)
        by_key = {one.key: one for one in known}
        taken = by_key[spares.pop()]
        assert taken.idle_since == by_key[decision.key].idle_since
        known.remove(taken)


def test_a_spare_that_was_not_told_of_a_client_is_not_ready() -> None:
    """It has to be greeted first."""
    slots = [slot(1, told=False, ready=False), slot(2, profile="x"), slot(3, inflight=2)]
    assert ready_spares(slots, POOLING) == {"x": [2]}


@given(slots_strategy, st.floats(0, 300))
def test_nothing_busy_or_starting_expires(slots: list[Slot], now: float) -> None:
    """Expiry touches idle containers only, and spares that wait to be spoken to."""
    by_key = {one.key: one for one in slots}
    for key in expired(slots, now, POOLING, spares=0):
        assert by_key[key].ready or by_key[key].kind is None or by_key[key].frozen
        assert by_key[key].inflight == 0
