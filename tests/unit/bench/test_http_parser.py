"""Reading HTTP responses from bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import Broken
from bench.load.http_parser import Response, ResponseReader, parse_head

_PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n"
)
_EMPTY = b"HTTP/1.1 202 Accepted\r\n\r\n"


def _feed(reader: ResponseReader, pieces: list[bytes]) -> list[Response]:
    answers = (reader.feed(piece) for piece in pieces)
    return [answer for answer in answers if answer is not None]


def _cut(content: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in at), len(content)]
    return [content[low:high] for low, high in pairwise(edges)]


@pytest.mark.parametrize("content", [_PLAIN, _CHUNKED])
@given(at=st.lists(st.integers(0, 200), max_size=6))
def test_a_response_cut_anywhere_is_read_once(content: bytes, at: list[int]) -> None:
    """Whatever the pieces, the response is given with its last byte."""
    pieces = [piece for piece in _cut(content, at) if piece]
    answers = _feed(ResponseReader(), pieces)
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"hello")]


def test_responses_follow_each_other_on_one_connection() -> None:
    """The reader starts afresh after every response, whatever its framing."""
    answers = _feed(ResponseReader(), [_CHUNKED, _EMPTY, _PLAIN, _CHUNKED])
    assert [answer.body for answer in answers] == [b"hello", b"", b"hello", b"hello"]


def test_header_names_are_lower_case() -> None:
    """Servers write them as they like."""
    assert parse_head(b"HTTP/1.1 200 OK\r\nMCP-Session-Id:  x ") == (200, {b"mcp-session-id": b"x"})


def test_something_else_than_http_is_refused() -> None:
    """A server that speaks another protocol is named as broken."""
    with pytest.raises(Broken, match="no HTTP response"):
        parse_head(b"hello")
