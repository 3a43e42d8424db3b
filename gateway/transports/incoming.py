"""What a client sends, handed to its session: one message, or a batch where its revision knows them.

Must not know what carries it. Whatever comes in is owed one finish of its outlet, or none: `is_owed` says which.

Source: MCP 2025-03-26, base protocol, "Batching", and transports, "Sending Messages to the Server".
"""

from __future__ import annotations

from collections.abc import Callable

from gateway import limits
from gateway.errors import Malformed
from gateway.jsonrpc import batches
from gateway.jsonrpc.codec import decode, encode, failure
from gateway.jsonrpc.messages import Message, Request
from gateway.mcp import versions
from gateway.ports import ClientSession, Outlet
from gateway.transports.outlets import NOWHERE

Incoming = Message | list[Message | Malformed]
"""One message; or those of a batch, with faults in the place of those that are none."""


def read(frame: bytes, session: ClientSession | None) -> Incoming:
    """The message or batch in a frame of that session's client; no session knows no batches.

    Raises:
        Malformed: it is neither.
    """
    if session is not None and batches.is_batch(frame) and _takes_batches(session):
        return batches.split(
            frame, max_bytes=limits.MAX_BATCH_BYTES, max_messages=limits.MAX_BATCH_MESSAGES
        )
    return decode(frame)


def is_owed(incoming: Incoming) -> bool:
    """Whether an answer is due."""
    if isinstance(incoming, list):
        return _owed(incoming) > 0
    return isinstance(incoming, Request)


def hand_over(
    incoming: Incoming,
    session: ClientSession,
    outlet: Outlet,
    *,
    singly: Callable[[], bool] = lambda: False,
) -> None:
    """Gives it to the session. Where an answer is owed, `outlet` is finished once.

    Args:
        incoming: what came.
        session: whose it is.
        outlet: where answers go.
        singly: whether the answers of a batch now go out one by one; otherwise together, as an array.
    """
    if not isinstance(incoming, list):
        session.receive(incoming, outlet if isinstance(incoming, Request) else NOWHERE)
        return
    gathered = _Gathered(outlet, _owed(incoming), singly)
    for item in incoming:
        if isinstance(item, Malformed):
            gathered.finish(encode(failure(item)))
        else:
            session.receive(item, gathered if isinstance(item, Request) else NOWHERE)


class _Gathered:
    """The outlet of every request of a batch."""

    def __init__(self, outlet: Outlet, owed: int, singly: Callable[[], bool]) -> None:
        self._outlet = outlet
        self._owed = owed
        self._singly = singly
        self._answers: list[bytes] = []

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Passes on a message that comes before the answers."""
        self._outlet.send(frame, skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """Takes the answer of one request; the last one ends the exchange."""
        self._owed -= 1
        if frame is not None:
            self._answers.append(frame)
        if self._singly():
            for answer in self._answers:
                self._outlet.send(answer)
            self._answers.clear()
        if not self._owed:
            self._outlet.finish(batches.join(self._answers) if self._answers else None)


def _takes_batches(session: ClientSession) -> bool:
    version = versions.find(session.protocol_version or "")
    return version is not None and version.batches


def _owed(batch: list[Message | Malformed]) -> int:
    return sum(isinstance(item, Request | Malformed) for item in batch)
