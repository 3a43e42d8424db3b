"""Answers as bytes: hypercorn's parser reads them as they were meant."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import h11
import pytest

from gateway.transports.http import CLOSE, Headers, Reply
from gateway.transports.http_writing import CONTINUE, LAST_CHUNK, chunk, reply_bytes, stream_head


def read(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body as a client sees them."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    event, body = client.next_event(), b""
    if isinstance(event, h11.InformationalResponse):
        event = client.next_event()
    assert isinstance(event, h11.Response)
    while isinstance(piece := client.next_event(), h11.Data):
        body += bytes(piece.data)
    assert isinstance(piece, h11.EndOfMessage)
    headers = {name.decode(): value.decode() for name, value in event.headers}
    return event.status_code, headers, body


@pytest.mark.parametrize(
    ("reply", "extra"),
    [
        (Reply(200, b"{}", "application/json"), ()),
        (Reply(200, b"{}", "application/json", ((b"mcp-session-id", b"s"),)), ()),
        (Reply(202), ((b"vary", b"Origin"),)),
        (Reply(404, b"no", "text/plain"), ()),
    ],
)
def test_whole_answers(reply: Reply, extra: Headers) -> None:
    """With their length, and every header that they have."""
    status, headers, body = read(reply_bytes(reply, extra))
    assert (status, body) == (reply.status, reply.body)
    assert headers.pop("content-length") == str(len(reply.body))
    assert headers.pop("content-type", "") == reply.content_type
    date = parsedate_to_datetime(headers.pop("date"))
    assert abs((datetime.now(UTC) - date).total_seconds()) < 5
    assert headers == {name.decode(): value.decode() for name, value in (*reply.headers, *extra)}


def test_the_last_answer_says_so_once() -> None:
    """Whether the reply says it itself or not."""
    for headers in ((), CLOSE):
        data = reply_bytes(Reply(200, b"{}", "application/json", headers), close=True)
        assert data.count(b"connection: close\r\n") == 1


def test_event_streams_come_in_chunks() -> None:
    """After an interim answer, too."""
    data = (
        CONTINUE + stream_head(((b"x", b"y"),)) + chunk(b"data: 1\n\n") + chunk(b"x") + LAST_CHUNK
    )
    status, headers, body = read(data)
    assert (status, body) == (200, b"data: 1\n\nx")
    assert headers["content-type"] == "text/event-stream"
    assert (headers["x"], headers["x-accel-buffering"]) == ("y", "no")
