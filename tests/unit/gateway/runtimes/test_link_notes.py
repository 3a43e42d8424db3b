"""gateway/runtimes/link_notes.py: kept in the home, and of no consequence where they cannot be."""

from __future__ import annotations

import pytest

from gateway.home import Home
from gateway.runtimes.link_notes import LinkNote, read_note, save_note


@pytest.mark.parametrize("server", ["a", "my server/../x", ".."])
def test_notes_come_back(home: Home, server: str) -> None:
    """Under any name that a server may have."""
    note = LinkNote("attach", "its image has no /bin/sh", "sha256:1")
    assert read_note(home, server) is None
    save_note(home, server, note)
    assert read_note(home, server) == note
    assert home.link(server).parent == home.cache / "links"


def test_a_broken_note_is_none(home: Home) -> None:
    """The cache may hold anything."""
    save_note(home, "a", LinkNote("fifo"))
    home.link("a").write_text("{")
    assert read_note(home, "a") is None


def test_a_home_that_takes_no_notes(home: Home) -> None:
    """Nothing is kept, and nobody is bothered."""
    home.cache.parent.mkdir(parents=True, exist_ok=True)
    home.cache.write_text("a file in the way")
    save_note(home, "a", LinkNote("fifo"))
    assert read_note(home, "a") is None
