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


ABSOLUTE = b"POST %b HTTP/1.1\r\nHost: %b\r\nX: y\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"http://localhost/mcp?a=b", b"localhost", b"/mcp?a=b"),
        (b"HTTP://LocalHost:8811/mcp", b"localhost:8811", b"/mcp"),
        (b"http://[::1]:8811/mcp", b"[::1]:8811", b"/mcp"),
        (b"http://localhost", b"localhost", b"/"),
        (b"http://localhost?a=/b?c", b"localhost", b"/?a=/b?c"),
        (b"http://localhost//mcp", b"localhost", b"//mcp"),
        (b"http://localhost/http://other/", b"localhost", b"/http://other/"),
    ],
)
def test_a_target_in_absolute_form_is_the_same_request(
    target: bytes, host: bytes, path: bytes
) -> None:
    """Whoever reads on sees the path alone."""
    raw = ABSOLUTE % (target, host)
    head = check_head(raw)
    assert (head.raw, head.target, head.headers[b"host"]) == (raw, path, host)
    assert head.plain == ABSOLUTE % (path, host)


def test_the_host_of_a_target_stands_in_for_the_header() -> None:
    """Of HTTP/1.0, which may lack it: the rules for hosts see the one that was asked for."""
    head = check_head(b"GET http://evil.example/ HTTP/1.0\r\n\r\n")
    assert head.headers == {b"host": b"evil.example"}
    assert head.plain == b"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://localhost/mcp", b"evil.example"),
        (b"http://evil.example/mcp", b"localhost"),
        (b"http://localhost:8811/mcp", b"localhost"),
        (b"http://localhost:80/mcp", b"localhost"),
        (b"http://localhost/mcp", b""),
        (b"http://me@localhost/mcp", b"localhost"),
        (b"http://me@localhost/mcp", b"me@localhost"),
        (b"http:///mcp", b""),
        (b"http:/mcp", b"localhost"),
        (b"http:mcp", b"localhost"),
        (b"http://localhost/mcp#a", b"localhost"),
        (b"http://localhost#/mcp", b"localhost"),
        (b"http://local\\host/mcp", b"local\\host"),
    ],
)
def test_a_target_that_names_another_host_or_none_is_refused(target: bytes, host: bytes) -> None:
    """A proxy in front may go by the one, and we by the other."""
    with pytest.raises(Refused, match="no plain HTTP") as refused:
        check_head(ABSOLUTE % (target, host))
    assert (refused.value.http_status, refused.value.headers) == (400, CLOSE)


@pytest.mark.parametrize("target", [b"https://localhost/mcp", b"HTTPS://localhost/mcp"])
def test_a_target_that_is_secure_comes_over_tls(target: bytes) -> None:
    """Whoever asks for it has not been talking to us in secret otherwise."""
    raw = ABSOLUTE % (target, b"localhost")
    assert check_head(raw, secure=True).target == b"/mcp"
    with pytest.raises(Refused, match="https") as refused:
        check_head(raw)
    assert (refused.value.http_status, refused.value.headers) == (421, CLOSE)


@pytest.mark.parametrize(
    "target", [b"*", b"localhost:80", b"ftp://localhost/mcp", b"mcp", b"httpx"]
)
def test_other_targets_are_nowhere(target: bytes) -> None:
    """They pass here, and lead to nothing."""
    head = check_head(ABSOLUTE % (target, b"localhost"))
    assert head.target == target
    assert head.plain is head.raw
