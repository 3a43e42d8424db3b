"""Where bodies end, and what is no body."""

from __future__ import annotations

import pytest

from gateway import limits
from gateway.transports.body_framing import Chunked, Sized, framing_of
from gateway.transports.head_check import check_head
from gateway.transports.http import Refused

CHUNKS = b"3\r\nabc\r\n0A ;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
CONTENT = b"abc0123456789"


def test_the_head_says_which() -> None:
    """A length, none, or chunks."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n"
    assert framing_of(check_head(head % b"")).done
    assert isinstance(framing_of(check_head(head % b"Content-Length: 1\r\n")), Sized)
    assert isinstance(framing_of(check_head(head % b"Transfer-Encoding: chunked\r\n")), Chunked)


def test_a_body_of_known_length_ends_there() -> None:
    """What follows is the next request."""
    framing = Sized(5)
    assert framing.feed(b"ab") == (2, b"ab")
    assert not framing.done
    assert framing.feed(b"cdefg") == (3, b"cde")
    assert framing.done


def feed_singly(framing: Chunked, data: bytes) -> None:
    """Byte by byte."""
    for number in range(len(data)):
        framing.feed(data[number : number + 1])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_chunks_in_pieces(size: int) -> None:
    """However they are cut; extensions and trailers mean nothing."""
    framing, content, rest = Chunked(), b"", CHUNKS.replace(b"0A ;", b"0A;") + b"GET"
    while not framing.done:
        used, found = framing.feed(rest[:size])
        content += found
        rest = rest[used:]
    assert (content, rest) == (CONTENT, b"GET")


@pytest.mark.parametrize(
    "wrong",
    [
        b"3\nabc\r\n",
        b"\r\n",
        b" 3\r\nabc",
        b"3 \r\nabc",
        b"+3\r\nabc",
        b"0x3\r\nabc",
        b"-1\r\n",
        b"g\r\n",
        b"1" * 16 + b"\r\n",
        b"3;a\x01\r\n",
        b"3;a\n\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3\r\nabc\r\r\n",
        b"0\r\nTrailer\r\n\r\n",
        b"0\r\n Trailer: folded\r\n\r\n",
        b"0\r\nContent-Length: 3\r\n\r\n",
        b"0\r\n" + b"X: %b\r\n" % (b"x" * 8000) * 3,
        b"1;" + b"x" * (limits.HEAD_BYTES + 1),
    ],
)
def test_what_is_no_chunk_is_refused(wrong: bytes) -> None:
    """Also where it comes byte by byte."""
    with pytest.raises(Refused, match="no plain chunked body"):
        Chunked().feed(wrong)
    with pytest.raises(Refused):
        feed_singly(Chunked(), wrong)


def test_a_chunk_that_is_longer_than_it_says_is_refused_at_its_first_byte_too_many() -> None:
    """A client that then waits for its answer would have been waited for in turn."""
    with pytest.raises(Refused, match="longer than it says"):
        Chunked().feed(b"3\r\nabcT")
    with pytest.raises(Refused, match="longer than it says"):
        Chunked().feed(b"3\r\nabc\rT")
    assert not feed_singly(Chunked(), b"3\r\nabc\r")
