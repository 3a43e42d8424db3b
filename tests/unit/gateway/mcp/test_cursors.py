"""A cursor is good for one state of one list."""

import base64

import pytest

from gateway.errors import InvalidParams
from gateway.mcp.cursors import decode_cursor, encode_cursor


def test_a_cursor_leads_back_to_its_offset() -> None:
    """In the list it was given for."""
    assert decode_cursor(encode_cursor(1000, "abc"), "abc") == 1000


def test_a_cursor_of_another_state_says_that_the_list_changed() -> None:
    """The client starts over instead of missing items."""
    with pytest.raises(InvalidParams, match="has changed"):
        decode_cursor(encode_cursor(1000, "abc"), "xyz")


def forge(text: bytes) -> str:
    """A cursor of our form with this inside."""
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "1000",
        "ä",
        "MTAwMDphYmM",
        forge(b"abc"),
        forge(b"1000"),
        forge(b"-1:abc"),
        forge(b" 1:abc"),
        forge(b"1_0:abc"),
        forge("٣:abc".encode()),
        forge(b"\xff:abc"),
        encode_cursor(1, "abc") + "\n",
    ],
)
def test_nonsense_is_no_cursor(cursor: str) -> None:
    """-32602, and what to do."""
    with pytest.raises(InvalidParams, match="list again"):
        decode_cursor(cursor, "abc")
