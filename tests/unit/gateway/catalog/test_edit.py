"""Edits that keep comments, order, quotes and indentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.catalog.edit import (
    add_entry,
    disable_servers,
    enable_servers,
    parse_value,
    remove_entry,
    set_mounts,
    set_value,
    unset_value,
)
from gateway.errors import CatalogError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that does not exist yet."""
    return tmp_path / "new" / "file.yaml"


def written(path: Path, text: str) -> Path:
    """The file with a text."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


REGISTRY = """\
# my servers
registry:
    # the one I like
    dice:
        ref: ''   # nothing here
    clock: {ref: ""}
"""


def test_enable_keeps_everything_else(path: Path) -> None:
    """Comments, quotes, flow style, four spaces."""
    assert enable_servers(written(path, REGISTRY), ["notes", "dice"]) == ("notes",)
    assert path.read_text() == REGISTRY + "    notes:\n        ref: ''\n"


def test_disable_keeps_everything_else(path: Path) -> None:
    """Both spellings of a name are found."""
    text = REGISTRY.replace("clock", "io_x")
    assert disable_servers(written(path, text), ["io.x", "nobody"]) == ("io.x",)
    assert path.read_text() == text.replace('    io_x: {ref: ""}\n', "")


def test_unchanged_file_is_not_touched(path: Path) -> None:
    """No watcher wakes for nothing."""
    before = written(path, REGISTRY).stat().st_mtime_ns
    assert enable_servers(path, ["dice"]) == ()
    assert disable_servers(path, ["nobody"]) == ()
    assert path.stat().st_mtime_ns == before


def test_first_registry_starts_from_what_was_enabled(path: Path) -> None:
    """In an empty home the whole starter catalog is on; disabling one leaves the others on."""
    assert disable_servers(path, ["dice"], before=["dice", "clock"]) == ("dice",)
    assert path.read_text() == "registry:\n  clock:\n    ref: ''\n"
    path.unlink()
    assert enable_servers(path, ["mine"], before=["dice"]) == ("mine",)
    assert enable_servers(path, ["dice"], before=["ignored"]) == ()


def test_comments_of_an_empty_file_survive(path: Path) -> None:
    """A file of nothing but comments is a file."""
    enable_servers(written(path, "# empty so far\n"), ["a"])
    assert path.read_text() == "# empty so far\nregistry:\n  a:\n    ref: ''\n"


def test_entries_are_added_and_removed(path: Path) -> None:
    """A new file gets its head; an entry is not replaced unasked."""
    add_entry(path, "mine", {"image": "a", "env": [{"name": "A", "value": "1.10"}]})
    assert path.read_text().startswith(
        "version: 3\nname: file\ndisplayName: file\nregistry:\n  mine:\n"
    )
    assert "value: '1.10'" in path.read_text()
    with pytest.raises(CatalogError, match="already"):
        add_entry(path, "mine", {"image": "b"})
    add_entry(path, "mine", {"image": "b"}, replace=True)
    assert "image: b" in path.read_text()
    assert remove_entry(path, "mine")
    assert not remove_entry(path, "mine")
    assert not remove_entry(path.with_name("nowhere.yaml"), "mine")


def test_unknown_keys_of_a_catalog_survive(path: Path) -> None:
    """What we do not know is somebody else's."""
    text = "version: 2\nfuture: [1, 2] # soon\nregistry:\n  a: {image: a, new: {x: 1}}\n"
    add_entry(written(path, text), "b", {"image": "b"})
    assert path.read_text() == text + "  b:\n    image: b\n"


def test_json_stays_json(path: Path) -> None:
    """In its order."""
    add_entry(written(path, '{"z": 1, "registry": {"a": {"image": "a"}}}'), "b", {"image": "b"})
    document = json.loads(path.read_text())
    assert list(document) == ["z", "registry"]
    assert list(document["registry"]) == ["a", "b"]


def test_values_are_set_typed_and_unset(path: Path) -> None:
    """Comments beside a replaced value stay; emptied mappings go."""
    text = "# c\nfs:\n  paths: [/a]  # mine\n\nother: {a: 1}\n"
    set_value(written(path, text), "fs", ["paths"], '["/x", "/y"]')
    assert path.read_text() == text.replace("[/a]  #", "[/x, /y] #")
    set_value(path, "io.x", ["a", "b"], "5")
    assert path.read_text().endswith("other: {a: 1}\nio_x:\n  a:\n    b: 5\n")
    assert unset_value(path, "io.x", ["a", "b"])
    assert not unset_value(path, "io.x", ["a", "b"])
    assert not unset_value(path, "other", ["a", "deeper"])
    assert path.read_text().endswith("other: {a: 1}\n")
    assert not unset_value(path.with_name("nowhere"), "a", ["b"])


def test_mounts_are_set(path: Path) -> None:
    """The line that a refusal asks for."""
    set_mounts(path, "fs", ["/etc:rw"])
    assert path.read_text() == "mounts:\n  fs:\n  - /etc:rw\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ("yes", "yes"),
        ("a: b #c", "a: b #c"),
        ("", None),
        ('"5"', "5"),
        ('{"a": [1]}', {"a": [1]}),
    ],
)
def test_values_of_a_command_line(text: str, value: object) -> None:
    """Scalars as YAML means them, the rest as JSON."""
    assert parse_value(text) == value


def test_broken_json_is_told() -> None:
    """Rather than stored as text."""
    with pytest.raises(CatalogError, match="looks like JSON"):
        parse_value("[1,")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [", "not valid YAML"),
        ("a: 1\na: 2\n", "not valid YAML"),
        ("- a\n", "not a mapping"),
        ("registry: 5\n", "not a mapping"),
    ],
)
def test_broken_file_is_left_as_it_is(path: Path, text: str, part: str) -> None:
    """Nobody's file is lost to an edit."""
    with pytest.raises(CatalogError, match=part):
        enable_servers(written(path, text), ["a"])
    assert path.read_text() == text


def test_mode_of_a_file_is_kept(path: Path) -> None:
    """A private config stays private."""
    written(path, "a: {b: 1}\n").chmod(0o600)
    set_value(path, "a", ["b"], "2")
    assert path.stat().st_mode & 0o777 == 0o600


def test_unreadable_and_unwritable_files_are_told(tmp_path: Path) -> None:
    """As a sentence."""
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff")
    with pytest.raises(CatalogError, match="UTF-8"):
        enable_servers(binary, ["a"])
    with pytest.raises(CatalogError, match="cannot be written"):
        enable_servers(binary / "below.yaml", ["a"])


@pytest.mark.parametrize(
    ("keys", "value"), [(["k"] * 100, "1"), (["k"], "[" * 200 + "]" * 200), (["k"] * 5000, "1")]
)
def test_a_change_that_could_not_be_read_again_is_refused(
    path: Path, keys: list[str], value: str
) -> None:
    """It would take the settings of every server away."""
    before = "other: {a: 1}\n"
    with pytest.raises(CatalogError, match="nested"):
        set_value(written(path, before), "server", keys, value)
    assert path.read_text() == before


def test_json_that_is_too_deep_is_none(path: Path) -> None:
    """And is not repeated as a whole."""
    with pytest.raises(CatalogError, match="looks like JSON") as refused:
        set_value(path, "server", ["k"], "[" * 100_000)
    assert len(str(refused.value)) < 5000
