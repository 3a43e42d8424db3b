"""The clients for Streamable HTTP and SSE, against a server that answers as slowly and as oddly as is allowed."""

from __future__ import annotations

import pytest

from bench.errors import Broken
from bench.load.http import HttpClient, Target
from bench.load.sse import EventReader, event_stream
from tests.unit.bench.odd_server import TOKEN, serving


@pytest.mark.parametrize("path", ["/json", "/events"])
def test_streamable_http_answers_of_both_kinds_are_counted(path: str) -> None:
    """A server may answer a POST with JSON or with events."""
    with serving() as port:
        client = HttpClient(Target(port, path, TOKEN))
        client.open()
        assert len(client.alone(0.0)) >= 1
        assert client.crowd(4, 0.0) == 4


def test_answers_on_the_event_stream_are_counted() -> None:
    """Events may be cut into chunks anywhere, and come before their POST is taken."""
    with serving() as port, event_stream(Target(port, "/sse", TOKEN)) as client:
        client.open()
        assert len(client.alone(0.0)) >= 1
        assert client.crowd(4, 0.01) >= 4


def test_a_refusal_is_no_answer() -> None:
    """A client whose token is wrong measures nothing."""
    with serving() as port, pytest.raises(Broken, match="HTTP 401"):
        HttpClient(Target(port, "/json", "wrong")).open()


def test_events_are_given_when_their_line_is_complete() -> None:
    """One message is one data line; comments and names of events are passed over."""
    reader = EventReader()
    assert reader.feed(b"8\r\n: x\n\ndat\r\n") == []
    assert reader.feed(b"8\r\na: {}\n\nd\r\n") == [b"{}"]
