"""The `.env` format, read as people and tools write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SecretError
from gateway.secrets.dotenv import format_dotenv, parse_dotenv


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=b", {"A": "b"}),
        ("A=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
        ("github.token=x", {"github.token": "x"}),
        ("  export A = b  ", {"A": "b"}),
        ("A=", {"A": ""}),
        ("A=b c", {"A": "b c"}),
        ("A=b # comment", {"A": "b"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=#c", {"A": ""}),
        ("A='b # $c \\n'", {"A": "b # $c \\n"}),
        ('A="b\\n\\"c\\" \\$x \\d"', {"A": 'b\n"c" $x \\d'}),
        ("A='x' # c", {"A": "x"}),
        ('A="line1\nline2"\nB=c', {"A": "line1\nline2", "B": "c"}),
        ("A=b=c==", {"A": "b=c=="}),
        ("# c\n\n  # d\nA=1\n", {"A": "1"}),
        ("A=1\nA=2", {"A": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("", {}),
        ("A=$B", {"A": "$B"}),
        ("A='unclosed", {"A": "'unclosed"}),
        ('A="x"y', {"A": '"x"y'}),
    ],
)
def test_reading(text: str, values: dict[str, str]) -> None:
    """Quotes, export, comments, newlines; nothing is expanded."""
    assert parse_dotenv(text, "f") == values


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\nsecretvalue\n", 2), ("=x", 1), ("two words=x", 1)]
)
def test_other_lines_are_named_and_not_shown(text: str, line: int) -> None:
    """What is no assignment may be a secret."""
    with pytest.raises(SecretError) as caught:
        parse_dotenv(text, "f.env")
    assert str(caught.value) == f"f.env:{line}: is not of the form NAME=value"


NAMES = st.text(alphabet="abcXYZ019._-/", min_size=1)
VALUES = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(NAMES, VALUES))
def test_what_is_written_reads_back(values: dict[str, str]) -> None:
    """Newlines, quotes, backslashes and all."""
    assert parse_dotenv(format_dotenv(values), "f") == values


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else leaves."""
    try:
        values = parse_dotenv(text, "f")
    except SecretError:
        return
    assert all(name for name in values)
