"""What our strict check lets through, hypercorn's parser reads in the same way."""

from __future__ import annotations

from contextlib import suppress

import h11
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.transports.body_framing import Chunked
from gateway.transports.head_check import HEAD_END, check_beginning, check_head
from gateway.transports.http import Refused

PIECES = st.sampled_from(
    [
        *(
            b"POST",
            b"GET",
            b" ",
            b"/mcp",
            b"?a=b",
            b" HTTP/1.1",
            b" HTTP/1.0",
            b"\r\n",
            b"\n",
            b"\r",
        ),
        *(
            b"Host: a",
            b"Host:b",
            b"Content-Length: 3",
            b"content-length:\t3 ",
            b"Content-Length: 3,3",
        ),
        *(
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: \x0bchunked",
            b"X: y",
            b"X:",
            b" X: y",
        ),
        *(b"Connection: close", b"\0", b"\xe9", b"\t", b":", b"abc"),
    ]
)
LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Host: a", b"Content-Length: 3", b"X: y ", b"Accept:\ta,b", b"X-\xe9: y"]
        ),
        st.builds(
            lambda name, value: b"%b: %b" % (name, value),
            st.binary(max_size=4),
            st.binary(max_size=6),
        ),
    ),
    max_size=6,
)
HEADS = st.one_of(
    st.lists(PIECES, max_size=20).map(b"".join),
    LINES.map(lambda lines: b"POST /mcp HTTP/1.1\r\n" + b"".join(one + b"\r\n" for one in lines)),
).map(lambda begun: begun + HEAD_END)


@given(HEADS)
@example(b"POST / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nHost: a\r\nbad name: b\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 03\r\n\r\n")
@example(b"POST http://a/b HTTP/1.1\r\nHost: a\r\n\r\n")
@example(b"POST http://a?b HTTP/1.0\r\n\r\n")
def test_heads(raw: bytes) -> None:
    """Method, target, version and every header; nothing is refused there that passes here."""
    raw = raw[: raw.index(HEAD_END) + len(HEAD_END)]
    try:
        head = check_head(raw)
    except Refused:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head.plain)
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (head.method, head.target)
    assert event.http_version == b"1.%d" % head.minor
    joined: dict[bytes, bytes] = {}
    for name, value in event.headers:
        joined[name] = joined[name] + b", " + value if name in joined else value
    length = joined.pop(b"content-length", None)
    assert joined == head.headers
    if b"transfer-encoding" not in joined:
        assert head.body_bytes == int(length or b"0")


@given(HEADS, st.data())
def test_a_beginning_is_refused_only_where_the_head_is(raw: bytes, data: st.DataObject) -> None:
    """Pieces are looked at before the head is whole."""
    raw = raw[: raw.index(HEAD_END) + len(HEAD_END)]
    try:
        check_head(raw)
    except Refused:
        return
    check_beginning(raw[: data.draw(st.integers(0, len(raw) - len(HEAD_END)))])


CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = st.builds(
    lambda size, extension, content, gap: b"%b%b\r\n%b%b" % (size, extension, content, gap),
    st.sampled_from([b"3", b"03", b"0", b"a", b"A", b"3 ", b"-3", b"0x3", b""]),
    st.sampled_from([b"", b";x=y", b"; x", b"\t", b";\n", b";\0"]),
    st.sampled_from([b"abc", b"0123456789", b"", b"ab\r\n"]),
    st.sampled_from([b"\r\n", b"\n", b"", b"x\r\n"]),
)


@given(
    st.lists(CHUNK, max_size=4),
    st.sampled_from([b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\nX y\r\n\r\n", b"0\n\n", b""]),
    st.integers(1, 20),
)
def test_chunked_bodies(chunks: list[bytes], end: bytes, size: int) -> None:
    """Their content and their end, however they are cut."""
    raw = b"".join(chunks) + end
    framing, content, used = Chunked(), b"", 0
    try:
        while not framing.done and used < len(raw):
            taken, found = framing.feed(raw[used : used + size])
            used += taken
            content += found
    except Refused:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(CHUNKED_HEAD + raw[:used])
    connection.next_event()
    seen, event = b"", connection.next_event()
    while isinstance(event, h11.Data):
        seen += bytes(event.data)
        event = connection.next_event()
    assert isinstance(event, h11.EndOfMessage) == framing.done
    if framing.done:
        assert seen == content
        assert connection.trailing_data[0] == b""


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_noise(noise: bytes) -> None:
    """Whatever it is."""
    for read in (check_head, check_beginning, Chunked().feed):
        with suppress(Refused):
            read(noise)  # type: ignore[operator]


def test_the_parser_is_the_one_that_was_compared() -> None:
    """Another h11 forgives other things: run these with it, then change this line."""
    from importlib.metadata import version

    assert version("h11") == "0.16.0"
