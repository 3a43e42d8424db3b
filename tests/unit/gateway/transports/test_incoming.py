"""What a client sends, handed to its session: single messages, and batches where they exist."""

from __future__ import annotations

import msgspec
import pytest

from gateway.errors import Malformed
from gateway.mcp.versions import LEGACY
from gateway.ports import Principal
from gateway.transports import incoming
from tests.fakes.sessions import FakeSession

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
LATER = b'{"jsonrpc":"2.0","id":2,"method":"later"}'
CHATTY = b'{"jsonrpc":"2.0","id":3,"method":"chatty"}'
NOTE = b'{"jsonrpc":"2.0","method":"notifications/x"}'
RESULT = b'{"jsonrpc":"2.0","id":9,"result":{}}'


class Kept:
    """An outlet that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[object] = []
        self.finished: list[object] = []

    def send(self, frame: bytes, *, skippable: bool = False) -> None:  # noqa: ARG002 -- the Protocol's
        """Keeps a message."""
        self.sent.append(msgspec.json.decode(frame))

    def finish(self, frame: bytes | None) -> None:
        """Keeps the answer."""
        self.finished.append(None if frame is None else msgspec.json.decode(frame))


def session(version: str | None = "2025-03-26") -> FakeSession:
    """A session after its handshake."""
    made = FakeSession("a", Principal("p"), "test")
    made.protocol_version = version
    return made


def give(frame: bytes, made: FakeSession, *, singly: bool = False) -> Kept:
    """Hands a frame over, and shows what its outlet got."""
    kept = Kept()
    incoming.hand_over(incoming.read(frame, made), made, kept, singly=lambda: singly)
    return kept


@pytest.mark.parametrize("version", [*LEGACY, None])
def test_batches_exist_in_one_revision(version: str | None) -> None:
    """Elsewhere, and before the handshake, an array is no message."""
    made = session(version)
    if version == "2025-03-26":
        assert incoming.is_owed(incoming.read(b"[%b]" % PING, made))
        return
    with pytest.raises(Malformed, match="batches are not supported") as caught:
        incoming.read(b"[%b]" % PING, made)
    assert caught.value.code == -32600


def test_without_a_session_there_is_no_batch() -> None:
    """The handshake must not be part of one."""
    with pytest.raises(Malformed):
        incoming.read(b"[%b]" % PING, None)


@pytest.mark.parametrize(
    ("frame", "owed"),
    [
        (PING, True),
        (NOTE, False),
        (RESULT, False),
        (b"[%b,%b]" % (NOTE, RESULT), False),
        (b"[%b,%b]" % (NOTE, PING), True),
        (b"[%b,7]" % NOTE, True),
    ],
)
def test_what_is_owed_an_answer(frame: bytes, owed: object) -> None:
    """Exactly that gets one."""
    made = session()
    assert incoming.is_owed(incoming.read(frame, made)) is owed
    assert (len(give(frame, made).finished) == 1) is owed


def test_the_answers_of_a_batch_come_together() -> None:
    """Once the last one is there, faults among them; what precedes them comes at once."""
    made = session()
    kept = give(b"[%b,%b,7,%b,%b]" % (LATER, PING, NOTE, CHATTY), made)
    assert len(kept.sent) == 1
    assert kept.finished == []
    made.answer()
    ((fault, *answers),) = [
        sorted(msgspec.convert(batch, list), key=_id) for batch in kept.finished
    ]
    assert fault["error"]["code"] == -32600
    assert [answer["id"] for answer in answers] == [1, 2, 3]


def test_the_answers_of_a_batch_come_singly_on_a_stream() -> None:
    """Each as soon as it is there."""
    made = session()
    kept = give(b"[%b,%b]" % (LATER, PING), made, singly=True)
    assert [_id(answer) for answer in kept.sent] == [1]
    made.answer()
    assert [_id(answer) for answer in kept.sent] == [1, 2]
    assert kept.finished == [None]


def test_a_batch_whose_requests_are_all_cancelled_has_no_answer() -> None:
    """Not an empty one."""
    made = session()
    kept = give(b"[%b]" % LATER, made)
    made.waiting.pop()[1].finish(None)
    assert kept.finished == [None]


def _id(answer: object) -> int:
    return msgspec.convert(answer, dict)["id"] or 0
