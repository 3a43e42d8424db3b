"""Text to plain values: meanings, lines, and what hostile text may cost."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import limits
from gateway.catalog.document import (
    DocumentError,
    Plain,
    Table,
    plain_value,
    read_document,
    write_document,
)


def read(text: str) -> object:
    """The document as plain JSON types."""
    return plain_value(read_document(text.encode(), "f.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2025-01-01", "2025-01-01"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    """`yes` and `1:30` are text, as Go's YAML and people read them."""
    assert read(f"a: {text}") == {"a": value}


def test_unquoted_scalars_keep_their_text() -> None:
    """A version like 1.10 is still readable as text."""
    document = read_document(b"version: 1.10", "f.yaml")
    assert isinstance(document, Table)
    assert document["version"] == "1.10"
    assert isinstance(document["version"], Plain)


def test_lines_and_repeated_keys_are_known() -> None:
    """Faults can name the line; the first of two equal keys counts."""
    document = read_document(b"a: 1\nb: 2\n# c\na: 3\n", "f.yaml")
    assert isinstance(document, Table)
    assert document.lines == {"a": 1, "b": 2}
    assert document.repeated == [("a", 4)]
    assert document["a"] == "1"


def test_json_is_read_with_its_types_and_lines() -> None:
    """JSON indented by tabs is no YAML, and still a catalog."""
    text = '{\n\t"registry": {\n\t\t"a": {"n": 1, "t": "1", "u": "\\ud83d\\ude00"}\n\t}\n}'
    document = read_document(text.encode(), "f.json")
    assert plain_value(document) == {"registry": {"a": {"n": 1, "t": "1", "u": "😀"}}}
    assert isinstance(document, Table)
    assert document["registry"].lines == {"a": 3}


def test_flow_mapping_that_is_no_json_is_read_as_yaml() -> None:
    """A document may begin with a brace and be YAML."""
    assert read("{a: 1, b: [x, y]}") == {"a": 1, "b": ["x", "y"]}


def test_anchors_and_merges_work() -> None:
    """Own keys beat merged ones, wherever they stand."""
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, x: 3}\ntwo: {x: 4, <<: [*b]}\n"
    assert read(text) == {
        "base": {"x": 1, "y": 2},
        "one": {"x": 3, "y": 2},
        "two": {"x": 4, "y": 2},
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_empty_document_is_none(text: str) -> None:
    """Nothing in, nothing out."""
    assert read(text) is None


def test_byte_order_mark_is_skipped() -> None:
    """Editors on Windows write one."""
    assert read("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "line", "part"),
    [
        (b"a: 1\n---\nb: 2\n", 2, "more than one document"),
        (b'a: 1\nb: "x\n', 3, "not valid YAML"),
        (b"a: \x00", 0, "not valid YAML"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        (b"a: *nobody", 1, "unknown anchor"),
        (b"a: &a [*a]", 1, "unknown anchor"),
        (b"? [a]\n: 1", 1, "a key that is not text"),
        (b"a: 1\n<<: 5", 2, "not a mapping"),
        (b"[" * 100_000, 1, "nested deeper"),
        (b'{"a":' * 100_000, 1, "nested deeper"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, 0, "nested deeper"),
    ],
)
def test_what_cannot_be_read_names_line_and_reason(content: bytes, line: int, part: str) -> None:
    """Brackets by the thousand end in a sentence, not in a crash of the process."""
    with pytest.raises(DocumentError) as caught:
        read_document(content, "f.yaml")
    assert caught.value.line == line
    assert part in caught.value.reason
    assert str(caught.value).startswith("f.yaml")


def test_alias_bomb_is_cheap() -> None:
    """Nine levels of nine aliases would be a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 10):
        items = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{items}]")
    start = time.process_time()
    with pytest.raises(DocumentError, match="aliases written out"):
        read_document("\n".join(lines).encode(), "f.yaml")
    assert time.process_time() - start < 1.0


def test_too_long_a_file_is_refused_unread() -> None:
    """The bound holds before any parsing."""
    with pytest.raises(DocumentError, match="longer than"):
        read_document(b"#" * (limits.MAX_DOCUMENT_BYTES + 1), "f.yaml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
@settings(deadline=None)
def test_what_is_written_reads_back(value: dict[str, object]) -> None:
    """`write_document` and `read_document` agree."""
    assert plain_value(read_document(write_document(value), "f.yaml") or {}) == value


@pytest.mark.parametrize(
    "text", ["0E0", "1e3", "~", "", "yes", "0x1", "1:30", "\x85", "<<", "=", "- a", "a: b"]
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    """Whichever YAML the reader follows."""
    assert plain_value(read_document(write_document({"k": text}), "f.yaml")) == {"k": text}


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_document_error(content: bytes) -> None:
    """Nothing else ever leaves."""
    with suppress(DocumentError):
        plain_value(read_document(content, "f.yaml"))
