"""The table of revisions, and what `initialize` settles on."""

import pytest

from gateway.mcp.versions import (
    LATEST,
    LEGACY,
    MODERN,
    NEWEST,
    VERSIONS,
    find,
    known,
    negotiate,
)


def test_served_revisions_come_newest_first() -> None:
    """The first is what is proposed."""
    assert LEGACY == ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
    assert LATEST == "2025-11-25"
    assert MODERN == ("2026-07-28",)
    assert NEWEST == "2026-07-28"
    assert [row.name for row in VERSIONS] == sorted((row.name for row in VERSIONS), reverse=True)


@pytest.mark.parametrize("name", LEGACY)
def test_a_served_revision_is_echoed(name: str) -> None:
    """The client gets what it asked for."""
    assert negotiate(name) == name


@pytest.mark.parametrize("name", ["2026-07-28", "1.0", "", "2099-01-01"])
def test_any_other_is_answered_with_the_newest(name: str) -> None:
    """The client decides whether it can go on."""
    assert negotiate(name) == LATEST


def test_each_revision_belongs_to_one_era() -> None:
    """`initialize` never settles on a modern one."""
    assert sorted(MODERN + LEGACY, reverse=True) == [row.name for row in VERSIONS if row.served]


def test_a_revision_that_is_not_served_is_known_all_the_same() -> None:
    """An error can tell a newer peer from a nonsense name."""
    assert known("2026-07-28")
    assert not known("2026-07-29")
    assert find("2026-07-29") is None


def test_only_one_revision_has_batches_and_only_the_first_its_own_transport() -> None:
    """Two columns that other modules decide by."""
    assert [row.name for row in VERSIONS if row.batches] == ["2025-03-26"]
    assert [row.name for row in VERSIONS if row.sse_transport] == ["2024-11-05"]
    newest = find(LATEST)
    assert newest is not None
    assert newest.structured_output
