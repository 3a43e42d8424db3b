"""Batches, cut apart and put together."""

from __future__ import annotations

import msgspec
import pytest

from gateway.errors import Malformed
from gateway.jsonrpc import batches
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.messages import Message, Notification, Request

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def split(frame: bytes) -> list[Message | Malformed]:
    """With limits that tests can reach."""
    return batches.split(frame, max_bytes=1000, max_messages=3)


def test_messages_come_out_in_order() -> None:
    """Of every kind."""
    note = b'{"jsonrpc":"2.0","method":"n"}'
    assert split(b" [\n%b , %b]\r\n" % (PING, note)) == [Request(1, "ping"), Notification("n")]


def test_what_is_no_message_is_a_fault_in_its_place() -> None:
    """A nested batch, too; the others are served."""
    first, second, third = split(b'[3,[%b],{"jsonrpc":"2.0","id":2}]' % PING)
    assert [type(item) for item in (first, second, third)] == [Malformed] * 3
    assert isinstance(third, Malformed)
    assert third.request_id == 2


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"[]", -32600),
        (b" [ ] ", -32600),
        pytest.param(
            b"[1,1,1,1]", -32600, marks=pytest.mark.refuses("from_clients.MAX_BATCH_MESSAGES")
        ),
        pytest.param(
            b"[" + b" " * 1000 + b"1]",
            -32600,
            marks=pytest.mark.refuses("from_clients.MAX_BATCH_BYTES"),
        ),
        (b"[1", -32700),
        (b"[1]]", -32700),
        (b"[\xff]", -32700),
        (b"[" * 900, -32700),
    ],
)
def test_an_array_that_is_no_batch(frame: bytes, code: int) -> None:
    """Nothing of it is served."""
    with pytest.raises(Malformed) as caught:
        split(frame)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("frame", "answer"),
    [(b"[1]", True), (b" \r\n\t[", True), (PING, False), (b"", False), (b"x[", False)],
)
def test_an_array_is_told_by_its_first_byte(frame: bytes, answer: object) -> None:
    """Well-formed or not."""
    assert batches.is_batch(frame) is answer


def test_a_batch_is_one_line_with_the_same_messages() -> None:
    """Whatever is in them; frames have no line breaks, and none is added."""
    frames = [encode(Request(1, "a", msgspec.Raw(b'{"x":"\\n],["}'))), encode(Notification("b"))]
    joined = batches.join(frames)
    assert b"\n" not in joined
    assert split(joined) == [Request(1, "a", msgspec.Raw(b'{"x":"\\n],["}')), Notification("b")]
