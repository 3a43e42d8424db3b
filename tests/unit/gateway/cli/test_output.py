"""What commands print."""

import json
from argparse import Namespace

import pytest

from gateway.cli.output import fields, show, table
from gateway.cli.plain_text import printable


def arguments(form: str = "table", *, as_json: bool = False) -> Namespace:
    """What `add_format` would be read into."""
    return Namespace(format=form, json=as_json)


def test_table_is_aligned_without_trailing_space() -> None:
    """Columns start where the longest cell lets them."""
    text = table(["NAME", "KIND"], [["a", "container"], ["longer", ""]])
    assert text.splitlines() == ["NAME    KIND", "a       container", "longer"]


def test_cells_cannot_steer_the_terminal() -> None:
    """Catalogs are written by others: a cell is one line of printable characters."""
    text = table(["A"], [["one\ntwo\x1b[31m\u202e"]])
    assert text.splitlines()[1] == "one two [31m"


def test_last_column_is_cut_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal a row is one line; in a pipe nothing is lost."""
    rows = [["a", "x" * 200]]
    assert "x" * 200 in table(["N", "TEXT"], rows)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    assert max(len(line) for line in table(["N", "TEXT"], rows).splitlines()) == 60


def test_fields_leave_out_what_is_empty() -> None:
    """Only what is known is shown; further lines are indented."""
    assert fields([("name", "a"), ("empty", ""), ("text", "one\ntwo")]) == (
        "name  a\ntext  one\n      two"
    )


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (arguments("json"), '{\n  "a": [\n    1\n  ]\n}\n'),
        (arguments(as_json=True), '{\n  "a": [\n    1\n  ]\n}\n'),
        (arguments("yaml"), "a:\n- 1\n"),
        (arguments("table"), "one\n"),
        (arguments("human"), "one\n"),
        (arguments("list"), "one\n"),
    ],
)
def test_formats(asked: Namespace, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and YAML for programs, text for people; Docker's words for that are known."""
    show({"a": [1]}, asked, text="one")
    assert capsys.readouterr().out == text


def test_json_keeps_every_character(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed as JSON is read back as it was."""
    value = {"text": "ü\n\x1b\u2028"}
    show(value, arguments("json"), text="")
    assert json.loads(capsys.readouterr().out) == value


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    """Escape sequences, carriage returns and direction overrides go; other writings, lines and tabs stay."""
    assert printable("a\x1b]0;title\x07\rb\u202ec\x9b31m") == "a ]0;title  b c 31m"
    assert printable("línea 行\n\tok 👍") == "línea 行\n\tok 👍"
    assert fields([("name", "a\x1b[2J")]) == "name  a [2J"
