"""A request's bytes: what our strict check lets through, hypercorn's parser reads in the same way, body and end included."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import h11

from gateway.transports.body_framing import framing_of
from gateway.transports.head_check import HEAD_END, CheckedHead, check_beginning, check_head
from gateway.transports.http import Refused
from tests.fuzz.cutting import cut

_STATUSES: Final = {400, 421, 431}


def check(data: bytes) -> None:
    """Head first, then the body in pieces."""
    whole = data[1:]
    end = whole.find(HEAD_END) + len(HEAD_END)
    if end < len(HEAD_END):
        with suppress(Refused):
            check_beginning(whole)
        return
    try:
        head = check_head(whole[:end])
    except Refused as error:
        assert error.http_status in _STATUSES
        return
    check_beginning(whole[: end // 2])
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head.plain)
    _compare_heads(head, connection.next_event())
    _compare_bodies(head, connection, data[:1] + whole[end:])


def _compare_heads(head: CheckedHead, event: object) -> None:
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (head.method, head.target)
    assert event.http_version == b"1.%d" % head.minor
    joined: dict[bytes, bytes] = {}
    for name, value in event.headers:
        joined[name] = joined[name] + b", " + value if name in joined else value
    length = joined.pop(b"content-length", b"0")
    assert joined == _in_lower_case(head.headers)
    assert head.body_bytes in {None, int(length)}


def _in_lower_case(headers: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The one value that h11 rewrites."""
    coding = b"transfer-encoding"
    return {**headers, coding: headers[coding].lower()} if coding in headers else dict(headers)


def _compare_bodies(head: CheckedHead, connection: h11.Connection, rest: bytes) -> None:
    framing, content, used = framing_of(head), b"", 0
    pieces, whole = cut(rest)
    try:
        for piece in pieces:
            if framing.done:
                break
            taken, found = framing.feed(piece)
            assert taken == len(piece) or framing.done
            used += taken
            content += found
    except Refused:
        return
    if used:  # nothing would be the connection's end to h11
        connection.receive_data(whole[:used])
    seen, event = b"", connection.next_event()
    while isinstance(event, h11.Data):
        seen += bytes(event.data)
        event = connection.next_event()
    assert isinstance(event, h11.EndOfMessage) == framing.done
    if framing.done:
        assert seen == content
        assert connection.trailing_data[0] == b""
