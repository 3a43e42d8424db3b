"""Batches: what is put together comes apart again."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.jsonrpc import batches
from gateway.jsonrpc.codec import decode, encode
from gateway.jsonrpc.messages import Message
from tests.property.strategies import json_values, messages, written

_MANY = 2**20


@given(st.lists(messages, min_size=1, max_size=5))
def test_what_is_joined_is_one_line_and_splits_into_the_same(several: list[Message]) -> None:
    """Messages of every kind with any payload."""
    frames = [encode(message) for message in several]
    joined = batches.join(frames)
    assert b"\n" not in joined
    assert b"\r" not in joined
    assert batches.is_batch(joined)
    found = batches.split(joined, max_bytes=_MANY, max_messages=_MANY)
    assert found == [decode(frame) for frame in frames]


@given(st.binary() | written(st.lists(json_values)))
def test_any_array_is_split_or_refused(frame: bytes) -> None:
    """With an error of ours, and a fault for each value that is no message."""
    if not batches.is_batch(frame):
        return
    try:
        found = batches.split(frame, max_bytes=_MANY, max_messages=_MANY)
    except Malformed:
        return
    assert found
