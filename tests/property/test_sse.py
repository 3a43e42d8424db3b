"""Where an event stream is cut makes no difference, and one message is one event."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.messages import Message
from gateway.jsonrpc.sse import EventSplitter, ServerSentEvent, encode_event
from tests.property.strategies import chunked, messages

_streams = st.lists(
    st.sampled_from(
        [b"data", b"data:", b"event: e", b"id: 1", b"retry: 2", b":", b"x", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf"]
    )
).map(b"".join)  # fmt: skip


def read(chunks: list[bytes], max_bytes: int) -> list[ServerSentEvent | str]:
    """The events of these chunks, faults as text."""
    events = EventSplitter(max_bytes)
    found = [item for chunk in chunks for item in events.feed(chunk)]
    return [str(item) if isinstance(item, Malformed) else item for item in found]


@given(chunked(_streams), st.integers(5, 40))
def test_any_cut_gives_the_same_events(chunks: list[bytes], max_bytes: int) -> None:
    """Faults included."""
    assert read(chunks, max_bytes) == read([b"".join(chunks)], max_bytes)


@given(st.binary(), st.data())
def test_any_data_is_one_event(frame: bytes, data: st.DataObject) -> None:
    """Its line breaks come out as LF, all else as it went in."""
    chunks = data.draw(chunked(st.just(encode_event(frame, id="7"))))
    normal = re.sub(rb"\r\n|\r", b"\n", frame)
    assert read(chunks, 10**6) == [ServerSentEvent("message", normal, "7")]


@given(st.lists(messages, max_size=5))
def test_each_message_is_one_event(sent: list[Message]) -> None:
    """With exactly its frame as data."""
    frames = [encode(message) for message in sent]
    stream = b"".join(encode_event(frame) for frame in frames)
    assert read([stream], 10**6) == [ServerSentEvent("message", frame) for frame in frames]
