"""Event streams as the standard reads them."""

import pytest

from gateway.errors import TooLong
from gateway.jsonrpc.sse import EventSplitter, ServerSentEvent, comment, encode_event, retry
from gateway.limits import FRAME_EDGE_BYTES

Event = ServerSentEvent


def read(stream: bytes) -> list[ServerSentEvent | TooLong]:
    """The events of a whole stream."""
    return EventSplitter(1000).feed(stream)


def test_an_event_is_written_as_the_standard_wants_it() -> None:
    """Name, id where given, data, blank line."""
    assert encode_event(b"{}") == b"event: message\ndata: {}\n\n"
    assert encode_event(b"/x", event="endpoint") == b"event: endpoint\ndata: /x\n\n"
    assert encode_event(b"", id="s-1") == b"event: message\nid: s-1\ndata: \n\n"


def test_line_breaks_in_data_do_not_end_an_event() -> None:
    """They become further data lines, whichever kind they are."""
    assert encode_event(b"a\nb\r\nc\rd") == (
        b"event: message\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
    )


def test_comments_and_retry_are_blocks_without_an_event() -> None:
    """Readers see nothing of them, but for the reconnection time."""
    events = EventSplitter(1000)
    assert events.feed(comment("still here") + retry(1500)) == []
    assert events.retry_ms == 1500


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [Event("message", b"a")]),
        (b"data:a\n\n", [Event("message", b"a")]),
        (b"data:  a\n\n", [Event("message", b" a")]),
        (b"data\n\n", [Event("message", b"")]),
        (b"data: a\ndata: b\n\n", [Event("message", b"a\nb")]),
        (b"data: a\r\ndata: b\r\n\r\n", [Event("message", b"a\nb")]),
        (b"data: a\rdata: b\r\r", [Event("message", b"a\nb")]),
        (b"event: x\ndata: a\n\n", [Event("x", b"a")]),
        (b"event: x\n\ndata: a\n\n", [Event("message", b"a")]),
        (b": hello\ndata: a\n:\n\n", [Event("message", b"a")]),
        (b"unknown: 1\ndata: a\n\n", [Event("message", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event("message", b"a")]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [Event("message", b"a")]),
        (b"data: a\n", []),
        (b"\n\n\n", []),
        (b"retry: 10\ndata: a\n\ndata: b\n\n", [Event("message", b"a", "", 10), Event("message", b"b")]),
        (b"retry: 1x\ndata: a\n\n", [Event("message", b"a")]),
        (b"retry: 1" + b"0" * 20 + b"\ndata: a\n\n", [Event("message", b"a")]),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Event("message", b"a", "1"), Event("message", b"b", "1")]),
        (b"id: 1\n\nid\ndata: b\n\n", [Event("message", b"b", "")]),
        (b"id: 1\nid: 2\x00\ndata: b\n\n", [Event("message", b"b", "1")]),
        (b"id: \xff\ndata: b\n\n", [Event("message", b"b", "\ufffd")]),
    ],
)  # fmt: skip
def test_streams_are_read_as_the_standard_says(
    stream: bytes, events: list[ServerSentEvent]
) -> None:
    """Line ends, fields, comments, byte order mark, ids that stay."""
    assert read(stream) == events


def test_a_block_without_data_still_sets_the_last_event_id() -> None:
    """A reader resumes behind a priming event that has none."""
    events = EventSplitter(1000)
    assert events.feed(b"id: 7\n\n") == []
    assert events.last_event_id == "7"


def test_crlf_may_be_cut_between_chunks() -> None:
    """The LF that follows is not a line of its own, and only that one."""
    events = EventSplitter(1000)
    found = [
        event for chunk in (b"data: a\r", b"\n", b"data: b\r", b"", b"\n", b"\n") for event in events.feed(chunk)
    ]  # fmt: skip
    assert found == [Event("message", b"a\nb")]


@pytest.mark.parametrize(
    "stream",
    [
        b"event: message\ndata: " + b"x" * 40 + b"\n\n",
        b"data:" + b"x" * 40 + b"\n\n",
        b"data: 1234567890\ndata: 1234567890\ndata: 1234567890\n\n",
        b": " + b"x" * 40 + b"\ndata: lost\n\n",
        b"data:\n" * 40 + b"\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_that_is_too_long_costs_only_itself(stream: bytes, size: int) -> None:
    """It is reported once, however it is cut, and the stream goes on behind it."""
    stream = b"data: before\n\n" + stream + b"data: after\n\n"
    events = EventSplitter(30)
    found = []
    for start in range(0, len(stream), size):
        found += events.feed(stream[start : start + size])
    before, fault, after = found
    assert (before, after) == (Event("message", b"before"), Event("message", b"after"))
    assert isinstance(fault, TooLong)


@pytest.mark.parametrize(
    ("stream", "begin"),
    [
        (b"event: message\ndata: " + b"x" * 400, b"x" * FRAME_EDGE_BYTES),
        (b"data:" + b"x" * 400 + b"\n", b"x" * FRAME_EDGE_BYTES),
        (b"data: first\nid: 7\ndata: " + b"x" * 400, b"first"),
        (b": " + b"x" * 400, b""),
        (b"datax: " + b"x" * 400, b""),
    ],
)
def test_of_an_event_that_is_too_long_its_beginning_is_known(stream: bytes, begin: bytes) -> None:
    """That of its data, if it has any."""
    (fault,) = EventSplitter(300).feed(stream)
    assert isinstance(fault, TooLong)
    assert fault.begin == begin


def test_memory_is_bounded_while_a_long_event_is_skipped() -> None:
    """Neither a line nor an event without end fills it."""
    events = EventSplitter(100)
    for _ in range(1000):
        events.feed(b"data: " + b"x" * 1000)
    for _ in range(1000):
        events.feed(b"\ndata: " + b"x" * 1000)
    assert len(events._begun) <= 100
    assert not events._data
