"""Ids that we give, and only those, lead back to what waits."""

import pytest

from gateway.jsonrpc.ids import IdMap
from gateway.jsonrpc.messages import Id


def test_ids_are_fresh_also_after_values_left() -> None:
    """A late answer to an old request must not meet a new one."""
    ids: IdMap[str] = IdMap()
    assert [ids.add("a"), ids.add("b")] == [1, 2]
    assert ids.pop(2, None) == "b"
    assert ids.drain() == ["a"]
    assert ids.add("c") == 3


def test_a_value_is_popped_once() -> None:
    """The second answer to one request finds nobody."""
    ids: IdMap[str] = IdMap()
    ids.add("a")
    assert (ids.get(1), ids.pop(1, None), ids.pop(1, None), ids.get(1)) == ("a", "a", None, None)


@pytest.mark.parametrize("stranger", [0, 2, -1, 1.5, "1", "", None, 2**70, float("inf")])
def test_ids_that_were_not_given_lead_nowhere(stranger: Id | None) -> None:
    """Strings never do, even those that look like ours."""
    ids: IdMap[str] = IdMap()
    ids.add("a")
    assert ids.get(stranger) is None
    assert ids.pop(stranger, None) is None
    assert len(ids) == 1


def test_one_is_found_as_a_float_too() -> None:
    """JavaScript knows one kind of number."""
    ids: IdMap[str] = IdMap()
    ids.add("a")
    assert ids.pop(1.0, None) == "a"


def test_what_waits_can_be_seen_oldest_first() -> None:
    """For deadlines, and for people."""
    ids: IdMap[str] = IdMap()
    ids.add("a")
    ids.add("b")
    assert list(ids.values()) == ["a", "b"]
    assert repr(ids) == "<IdMap of 2, last id 2>"
