"""Frames of servers that send rubbish: what can be used is, and nothing takes long."""

from __future__ import annotations

import time

import pytest

from gateway import limits
from gateway.jsonrpc.messages import Failure, Illegible, Notification
from gateway.upstreams.frames import Frames

NOTE = b'{"jsonrpc":"2.0","method":"n"}'


def test_a_bad_element_of_a_short_batch_costs_only_itself() -> None:
    """As a bad line does."""
    found = Frames("fake").unpack(b'[1,{"jsonrpc":"1.0","method":"n"},%b,[]]' % NOTE)
    assert found == [Notification("n")]


def test_a_long_batch_of_messages_is_taken_apart() -> None:
    """Results may be long, also together."""
    padded = NOTE + b" " * limits.MAX_NARROW_BYTES
    assert Frames("fake").unpack(b"[%b,%b]" % (padded, NOTE)) == [Notification("n")] * 2


@pytest.mark.parametrize(
    "element",
    [
        b"1",
        b"{}",
        b"[]",
        b"null",
        pytest.param(NOTE, marks=pytest.mark.refuses("from_servers.MAX_UPSTREAM_BATCH_MESSAGES")),
        b'{"jsonrpc":"2.0"}',
    ],
    ids=lambda element: element.decode(),
)
def test_a_batch_of_very_many_is_refused_at_once(element: bytes) -> None:
    """It would fall into a million pieces, with a complaint on each."""
    frame = b"[%b]" % b",".join([element] * 500_000)
    began = time.perf_counter()
    assert Frames("fake").unpack(frame) == []
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "read"), [(b"a\\ud83d", "a\ufffd"), (b"\\ude00\\ud83d\\ude00", "\ufffd\U0001f600")]
)
def test_half_surrogate_pairs_are_mended(text: bytes, read: str) -> None:
    """Also in a batch."""
    frame = b'{"jsonrpc":"2.0","method":"%b"}' % text
    assert Frames("fake").unpack(frame) == [Notification(read)]
    assert Frames("fake").unpack(b"[%b]" % frame) == [Notification(read)]


@pytest.mark.parametrize(
    "frame",
    [
        b'{"jsonrpc":"1.0","id":7,"result":{}}',
        b'{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"m"}}',
        b'{"jsonrpc":"2.0","id":7}',
        b'{"jsonrpc":"2.0","id":7,"result":{"text":"method \xff"}}',
        b'{"jsonrpc":"2.0","id":7,"result":{"text":}} ',
        b'{"result":{"text":1 2},"jsonrpc":"2.0","id":7}',
    ],
    ids=repr,
)
def test_an_answer_that_is_none_fails_its_request(frame: bytes) -> None:
    """Nobody waits for another one."""
    (failure,) = Frames("fake").unpack(frame)
    assert isinstance(failure, Failure)
    assert failure.id == 7
    assert "server 'fake' sent an answer that is none: " in failure.message


@pytest.mark.parametrize(
    "frame",
    [
        b'{"jsonrpc":"1.0","id":7,"method":"m"}',
        b'{"jsonrpc":"1.0","result":{}}',
        b'{"jsonrpc":"2.0","id":7,"method":"m","params":{"text":"\xff"}}',
        b'{"jsonrpc":"2.0","id":7,"result":{"text":"it breaks o',
        b'INFO {"id":7,"result":{}}',
    ],
    ids=repr,
)
def test_other_rubbish_fails_nothing(frame: bytes) -> None:
    """The id of a request of the server's own says nothing of ours."""
    assert Frames("fake").unpack(frame) == []


DEEP = b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"


@pytest.mark.parametrize(
    "frame",
    [
        b'{"jsonrpc":"2.0","id":7,"result":%b}',
        b'{"result":%b,"jsonrpc":"2.0","id":7}',
        b'{"error":{"code":1,"message":"method","data":%b},"jsonrpc":"2.0","id":7}',
    ],
    ids=bytes.decode,
)
def test_an_answer_that_is_too_deep_fails_its_request(frame: bytes) -> None:
    """No reader would take it, and nobody waits for another one."""
    (failure,) = Frames("fake").unpack(frame % DEEP)
    text = "server 'fake' sent an answer that cannot be read: it is nested too deeply"
    assert failure == Failure(7, -32603, text)


@pytest.mark.parametrize(
    "frame",
    [b'{"jsonrpc":"2.0","result":%b,"id":7,"x":1}', b'[{"jsonrpc":"2.0","id":7,"result":%b}]'],
)
def test_an_answer_to_nobody_knows_whom_is_said_to_be_so(frame: bytes) -> None:
    """Whoever has sent requests may know more."""
    (message,) = Frames("fake").unpack(frame % DEEP)
    assert isinstance(message, Illegible)
    assert message.id is None


@pytest.mark.parametrize(
    "frame", [b'{"jsonrpc":"2.0","id":7,"method":"m","params":%b}', b'["a",%b]']
)
def test_what_is_too_deep_and_no_answer_fails_nothing(frame: bytes) -> None:
    """Nobody waits for it."""
    assert Frames("fake").unpack(frame % DEEP) == []
