"""The starter server `notes`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.catalogs.conftest import Server

Start = Callable[..., Server]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the notes are kept; the server makes it."""
    return tmp_path / "deep" / "notes"


@pytest.fixture
def notes(start: Start, folder: Path) -> Server:
    """The server."""
    return start("notes", NOTES_DIR=str(folder))


def titles(result: dict) -> list[str]:
    """The titles in a list of notes."""
    return [note["title"] for note in result["structuredContent"]["notes"]]


def test_a_life_of_notes(notes: Server, folder: Path) -> None:
    """Notes are kept as files, listed newest first, found by words, and removed."""
    assert titles(notes.call("list")) == []
    notes.call("add", title="Shopping  list", text="milk, bread")
    kept = notes.call("add", title="Idea", text="A gateway for\nbread recipes ü")
    assert kept["structuredContent"] == {"id": 2, "title": "Idea"}
    assert (folder / "1.md").read_text() == "# Shopping list\n\nmilk, bread\n"
    listed = notes.call("list")
    assert titles(listed) == ["Idea", "Shopping list"]
    assert listed["content"][0]["text"].splitlines()[1] == "2. Idea: A gateway for bread recipes ü"
    assert titles(notes.call("search", query="BREAD recipes")) == ["Idea"]
    assert titles(notes.call("search", query="shopping")) == ["Shopping list"]
    assert titles(notes.call("list", limit=1)) == ["Idea"]
    notes.call("remove", id=1)
    assert titles(notes.call("list")) == ["Idea"]
    assert [path.name for path in folder.iterdir()] == ["2.md"]


def test_notes_outlive_their_server(start: Start, folder: Path) -> None:
    """Another server at the same folder knows them, and does not reuse their ids."""
    one, two = (start("notes", NOTES_DIR=str(folder)) for _ in "12")
    one.call("add", title="a", text="a")
    assert two.call("add", title="b", text="b")["structuredContent"]["id"] == 2
    assert one.end() == 0
    assert titles(two.call("list")) == ["b", "a"]


def test_the_folder_defaults_to_the_home(start: Start, tmp_path: Path) -> None:
    """Without NOTES_DIR the notes lie under the user's home."""
    start("notes", HOME=str(tmp_path)).call("add", title="a", text="a")
    assert (tmp_path / ".local/share/mcpgw-notes/1.md").exists()


@pytest.mark.parametrize(
    ("tool", "arguments", "complaint"),
    [
        ("add", {"text": "x"}, "'title' is missing"),
        ("add", {"title": "x", "text": " "}, "'text' is missing"),
        ("add", {"title": "x" * 201, "text": "x"}, "'title' is longer than 200 characters"),
        ("add", {"title": 1, "text": "x"}, "give it as text"),
        ("list", {"limit": -1}, "'limit' must be a whole number from 0 to 500"),
        ("list", {"limit": True}, "'limit' must be"),
        ("search", {}, "'query' is missing"),
        ("remove", {}, "'id' must be a whole number"),
        ("remove", {"id": 1.5}, "'id' must be a whole number"),
        ("remove", {"id": 77}, "there is no note 77; `list` shows the ids"),
        ("export", {"pause_ms": "long"}, "'pause_ms' must be a whole number from 0 to 5000"),
    ],
)
def test_errors_say_what_to_do(
    shared: Start, tool: str, arguments: dict[str, object], complaint: str
) -> None:
    """Each complaint names the argument and what it must be."""
    assert complaint in shared("notes").complaint(tool, **arguments)


def test_a_folder_that_cannot_be_used_is_named(start: Start, tmp_path: Path) -> None:
    """A file in the place of the folder is told, and the server goes on."""
    (tmp_path / "file").touch()
    notes = start("notes", NOTES_DIR=str(tmp_path / "file"))
    assert f"the folder {tmp_path}/file cannot be used: " in notes.complaint(
        "add", title="a", text="a"
    )
    assert notes.request("ping")["result"] == {}


def export(notes: Server, request_id: int, **arguments: object) -> None:
    """Sends an export that reports its progress."""
    params = {
        "name": "export",
        "arguments": arguments,
        "_meta": {"progressToken": f"t{request_id}"},
    }
    notes.send("tools/call", params, id=request_id)


def test_an_export_reports_its_progress(notes: Server) -> None:
    """Progress grows note by note, up to its total, and then the document comes."""
    for name in "ab":
        notes.call("add", title=name, text=f"text of {name}")
    export(notes, 7)
    steps = [notes.receive()["params"] for _ in range(3)]
    assert [(step["progressToken"], step["progress"], step["total"]) for step in steps] == [
        ("t7", 0, 2),
        ("t7", 1, 2),
        ("t7", 2, 2),
    ]
    result = notes.receive()["result"]
    assert result["content"][0]["text"] == "# a\n\ntext of a\n\n# b\n\ntext of b\n"
    assert result["structuredContent"] == {"notes": 2, "words": 10}


def test_an_export_without_a_token_is_silent(notes: Server) -> None:
    """Who did not ask for progress gets none."""
    notes.call("add", title="a", text="a")
    assert notes.call("export")["structuredContent"]["notes"] == 1
    params = {"name": "export", "_meta": "odd"}
    assert notes.request("tools/call", params)["result"]["structuredContent"]["notes"] == 1


def test_a_cancelled_export_ends_without_an_answer(notes: Server) -> None:
    """A cancel takes effect in the midst of the work; other requests are served meanwhile."""
    notes.call("add", title="a", text="a")
    export(notes, 7, pause_ms=5000)
    assert notes.receive()["params"]["progress"] == 0
    assert notes.request("ping")["result"] == {}
    notes.send("notifications/cancelled", {"requestId": 7, "reason": "test"})
    export(notes, 8)
    assert [notes.receive().get("params", {}).get("progress") for _ in range(3)] == [0, 1, None]


def test_the_end_of_stdin_ends_an_export(notes: Server) -> None:
    """A server at work still exits when its client leaves."""
    notes.call("add", title="a", text="a")
    export(notes, 7, pause_ms=5000)
    notes.receive()
    assert notes.end() == 0


def test_an_id_that_is_none_is_refused(notes: Server) -> None:
    """An id is a number or a text."""
    notes.send("ping", id=["a"])
    assert notes.receive()["error"]["code"] == -32600
