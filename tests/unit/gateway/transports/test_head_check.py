"""The strict reading of heads: what passes, and each way to be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.transports.head_check import check_beginning, check_head
from gateway.transports.http import CLOSE, Refused

PLAIN = b"POST /mcp?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nX: \r\n\r\n"


def test_a_plain_head_is_read() -> None:
    """Names in lower case, values without the white space around them."""
    head = check_head(PLAIN.replace(b"X: ", b"X-One:\t a\xe9 b \t"))
    assert (head.method, head.target, head.minor) == (b"POST", b"/mcp?a=b", 1)
    assert head.headers == {b"host": b"localhost", b"x-one": b"a\xe9 b"}
    assert head.body_bytes == 3


def test_chunks_and_no_body() -> None:
    """Chunked in any case of letters; neither header is no body."""
    chunked = PLAIN.replace(b"Content-Length: 3", b"Transfer-Encoding: CHUNKED")
    assert check_head(chunked).body_bytes is None
    assert check_head(PLAIN.replace(b"Content-Length: 3\r\n", b"")).body_bytes == 0


def test_http_1_0_needs_no_host() -> None:
    """It is older than that."""
    assert check_head(b"GET / HTTP/1.0\r\n\r\n").minor == 0


def test_repeated_headers_are_joined() -> None:
    """But for those that say where a request ends."""
    head = check_head(PLAIN.replace(b"X: ", b"Accept: a\r\nACCEPT: b"))
    assert head.headers[b"accept"] == b"a, b"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (b"POST /mcp\r\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"POST  /mcp HTTP/1.1\r\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"POST /m\xc3\xbc HTTP/1.1\r\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"POST /mcp HTTP/2.0\r\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"POST /mcp HTTP/1.2\r\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"PO(T /mcp HTTP/1.1\r\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"\r\nPOST /mcp HTTP/1.1\r\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"POST /mcp HTTP/1.1\n", b"POST /mcp?a=b HTTP/1.1\r\n"),
        (b"X: a\nY: b", b"X: "),
        (b"X: a\rY: b", b"X: "),
        (b"X: a\r\n folded", b"X: "),
        (b" X: a", b"X: "),
        (b"X : a", b"X: "),
        (b"X y: a", b"X: "),
        (b": a", b"X: "),
        (b"X", b"X: "),
        (b"X: a\0b", b"X: "),
        (b"X: a\x7fb", b"X: "),
        (b"X: a\x0bb", b"X: "),
        (b"Host: localhost", b"X: "),
        (b"", b"Host: localhost\r\n"),
        (b"Content-Length: 3", b"X: "),
        (b"Transfer-Encoding: chunked", b"X: "),
        (b"Content-Length: 3, 3", b"Content-Length: 3"),
        (b"Content-Length: +3", b"Content-Length: 3"),
        (b"Content-Length: 0x3", b"Content-Length: 3"),
        (b"Content-Length: ", b"Content-Length: 3"),
        (b"Content-Length: " + b"0" * 16, b"Content-Length: 3"),
        (b"Transfer-Encoding: gzip, chunked", b"Content-Length: 3"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Content-Length: 3"),
        (b"Transfer-Encoding: chunked, identity", b"Content-Length: 3"),
        (b"Transfer-Encoding: ", b"Content-Length: 3"),
    ],
)
def test_what_is_not_plain_is_refused(wrong: bytes, right: bytes) -> None:
    """With 400, and the connection ends: nobody knows where the next request would begin."""
    assert right in PLAIN
    with pytest.raises(Refused, match="no plain HTTP") as refused:
        check_head(PLAIN.replace(right, wrong))
    assert (refused.value.http_status, refused.value.headers) == (400, CLOSE)


def test_chunks_are_newer_than_http_1_0() -> None:
    """A proxy of that age passes them on as it likes."""
    with pytest.raises(Refused):
        check_head(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")


@pytest.mark.refuses("from_clients.HEAD_BYTES", "from_clients.HEAD_FIELDS")
def test_long_heads_are_431() -> None:
    """In bytes and in headers; both limits themselves pass."""
    room = limits.HEAD_BYTES - len(PLAIN)
    check_head(PLAIN.replace(b"X: ", b"X: " + b"x" * room))
    many = [b"X%d: \r\n" % number for number in range(limits.HEAD_FIELDS - 2)]
    check_head(PLAIN.replace(b"X: \r\n", b"".join(many)))
    for wrong in (
        PLAIN.replace(b"X: ", b"X: x" + b"x" * room),
        PLAIN.replace(b"X: \r\n", b"".join(many) + b"Y: \r\n"),
    ):
        with pytest.raises(Refused) as refused:
            check_head(wrong)
        assert refused.value.http_status == 431


def test_a_head_with_another_length_is_known() -> None:
    """What was made of its headers holds: they are the same object."""
    known = check_head(PLAIN)
    other = known.with_length_of(PLAIN.replace(b": 3", b": 1234"))
    assert other is not None
    assert other.headers is known.headers
    assert other == check_head(PLAIN.replace(b": 3", b": 1234"))
    again = other.with_length_of(PLAIN)
    assert again == known


@pytest.mark.parametrize(
    "changed",
    [
        PLAIN.replace(b": 3", b": "),
        PLAIN.replace(b": 3", b": +3"),
        PLAIN.replace(b": 3", b": " + b"1" * 16),
        PLAIN.replace(b": 3", b": 3\r\nContent-Length: 3"),
        PLAIN.replace(b": 3", b": 3\r\nTransfer-Encoding: chunked"),
        PLAIN.replace(b": 3", b": \xb2"),
        PLAIN.replace(b"POST", b"PUT"),
        PLAIN.replace(b"X: ", b"X: a"),
        PLAIN[:-4],
        PLAIN[-20:],
        b"",
    ],
)
def test_a_head_that_differs_in_more_is_read_anew(changed: bytes) -> None:
    """Only digits may be others."""
    assert check_head(PLAIN).with_length_of(changed) is None


def test_a_head_without_a_length_has_no_other() -> None:
    """Nor one in chunks."""
    bare = PLAIN.replace(b"Content-Length: 3\r\n", b"")
    assert check_head(bare).with_length_of(bare) is None


def test_a_head_that_grows_too_long_with_its_length_is_read_anew() -> None:
    """And refused then."""
    longest = PLAIN.replace(b"X: ", b"X: " + b"x" * (limits.HEAD_BYTES - len(PLAIN)))
    assert check_head(longest).with_length_of(longest.replace(b": 3", b": 33")) is None


_LINES = st.lists(
    st.sampled_from(
        [
            b"Host: a",
            b"content-length: 7",
            b"Content-Length:\t12 ",
            b"Transfer-Encoding: chunked",
            b"X: content-length: 5",
            b"X-Content-Length: 5",
            b"Accept:",
        ]
    ),
    max_size=4,
)
_VALUES = st.text("0123456789 \t\r\n:+x²", max_size=18).map(str.encode)


@given(_LINES, _VALUES, st.integers(0, 80), st.integers(0, 4))
def test_what_is_known_of_a_head_is_what_would_be_read(
    lines: list[bytes], value: bytes, at: int, instead_of: int
) -> None:
    """Whatever is written over a head that was read: where it passes for the same one, it is."""
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *lines, b"", b""])
    try:
        known = check_head(head)
    except Refused:
        return
    other = head[:at] + value + head[at + instead_of :]
    if (told := known.with_length_of(other)) is not None:
        assert told == check_head(other)


@pytest.mark.parametrize("begun", [b"", b"P", PLAIN[:-2], PLAIN[:30]])
def test_a_head_may_come_in_pieces(begun: bytes) -> None:
    """Nothing is refused that may still become one."""
    check_beginning(begun)


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"\x16\x03\x01", 400),
        (b"\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a", 400),
        (b"G" * (limits.HEAD_BYTES + 1), 431),
    ],
)
def test_what_will_not_become_a_head_is_not_waited_for(begun: bytes, status: int) -> None:
    """TLS on a plain port, bare line feeds, a line without end."""
    with pytest.raises(Refused) as refused:
        check_beginning(begun)
    assert refused.value.http_status == status
