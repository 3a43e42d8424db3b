"""Whose the lists of a container are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from actors.container import Container
from actors.pool_lists import PoolLists
from actors.relisting import Relisting
from gateway.errors import StartFailed
from gateway.jsonrpc import codec
from gateway.mcp.listing import ServerLists
from gateway.mcp.profile import NEUTRAL, ClientProfile
from gateway.mcp.spoken import UNASKED
from tests.fakes.house import Notes, enabled

EMPTY = ServerLists(version="2025-11-25", capabilities={}, server_info=codec.raw({}))


class Lister:
    """As much of a container as is looked at."""

    def __init__(self, owner: str | None, profile: ClientProfile = NEUTRAL) -> None:
        self.owner = owner
        self.life = SimpleNamespace(profile=profile)
        self.lists = Relisting(took=_ignore, failed=_ignore)
        self.ready = True
        self.frozen = False
        self.inflight = 0


def _ignore(*_: object, **__: object) -> None:
    """Nothing is read here."""


def test_a_spare_is_asked_only_where_somebody_wants_lists() -> None:
    """An owned one is asked once, in any case: it has just run."""
    lists, spare, owned = PoolLists(Notes()), Lister(None), Lister("a")
    lists.read_unseen(cast("list[Container]", [spare, owned]))
    assert (spare.lists.underway, owned.lists.underway) == (False, True)
    lists.wanted = True
    lists.read_unseen(cast("list[Container]", [spare, owned]))
    assert spare.lists.underway


def test_an_announced_change_is_the_owners_alone() -> None:
    """Unless everybody shares the container."""
    notes = Notes()
    lists, container = PoolLists(notes), cast("Container", Lister("session:a"))
    take = lists.take
    take(enabled(), container, EMPTY, spoken=UNASKED, announced=True)
    assert (len(notes.private), notes.lists) == (1, {})
    take(enabled(isolation="shared"), container, EMPTY, spoken=UNASKED, announced=True)
    assert (len(notes.private), list(notes.lists)) == (1, ["fake"])


def test_a_change_announced_to_a_modern_caller_is_everybodys() -> None:
    """It has no session that could see something else, and its listeners are to hear of it."""
    notes = Notes()
    container = cast("Container", Lister("stateless:a", ClientProfile(era="modern")))
    take = PoolLists(notes).take
    take(enabled(isolation="call"), container, EMPTY, spoken=UNASKED, announced=True)
    assert (len(notes.private), notes.lists) == (1, {})
    take(enabled(), container, EMPTY, spoken=UNASKED, announced=True)
    assert (len(notes.private), list(notes.lists)) == (1, ["fake"])


def test_a_failure_is_told_once() -> None:
    """And only to those who wait."""
    notes = Notes()
    lists = PoolLists(notes)
    lists.failed("fake", StartFailed("first"))
    assert notes.unlisted_because == {}
    lists.wanted = True
    lists.failed("fake", StartFailed("second"))
    lists.failed("fake", StartFailed("third"))
    assert str(notes.unlisted_because["fake"]) == "second"
