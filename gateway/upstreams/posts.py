"""The POSTs on their way to one remote server: how many, in which order, and how one is given up. Must not know HTTP.

POSTs run side by side, for one may wait minutes for its answer while another cancels it. Only what a server must have
seen before anything else, `notifications/initialized`, goes alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeGuard

import msgspec
import trio

from gateway import limits
from gateway.errors import Gone, Overloaded
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.messages import Id, Message, Notification, Request
from gateway.telemetry.refusals import refused

_INITIALIZED: Final = "notifications/initialized"
_CANCELLED: Final = "notifications/cancelled"

Post = Callable[[Message, bytes, float], Awaitable[None]]
"""Posts a message, whose encoded form and deadline are given too, and sees to its answer. Handles all errors of our tree."""


def is_initialized(message: Message) -> bool:
    """Whether this is the notification after which both sides may speak freely."""
    return isinstance(message, Notification) and message.method == _INITIALIZED


def _is_cancellation(message: Message) -> TypeGuard[Notification]:
    return isinstance(message, Notification) and message.method == _CANCELLED


class _Outgoing(msgspec.Struct, frozen=True):
    message: Message
    body: bytes
    scope: trio.CancelScope
    stateless: bool
    deadline: float


class _Cancelled(msgspec.Struct):
    """The params of `notifications/cancelled`, as far as they concern us."""

    request_id: Id | None = msgspec.field(default=None, name="requestId")


_cancelled = msgspec.json.Decoder(_Cancelled)


class Posts:
    """Starts a task per message, within bounds. Tasks run in the nursery that `start` is given."""

    def __init__(self, post: Post, *, who: str) -> None:
        self._post = post
        self._who = who
        # Sent before `start`, or behind a message that goes alone.
        self._waiting: deque[_Outgoing] = deque()
        # The requests among those in flight and waiting, so that a cancellation finds its request.
        self._requests: dict[Id, _Outgoing] = {}
        # Whether the newest request was stateless: a cancellation that comes after the answer is then not posted either.
        self._stateless = False
        self._inflight = 0
        self._inflight_bytes = 0
        self._alone = False
        self._nursery: trio.Nursery | None = None
        self.why: str | None = None
        """Why nothing can be sent any more; None while it can."""
        self.drained = trio.Event()
        """Set once nothing can be sent any more, and nothing is in flight."""

    def __repr__(self) -> str:
        """State and what waits, for logs and tests."""
        return f"<Posts to {self._who}: {self._inflight} in flight, {len(self._waiting)} of them waiting>"

    def send(
        self, message: Message, *, stateless: bool = False, deadline: float = math.inf
    ) -> None:
        """Starts posting a message, or lets it wait for its turn.

        `notifications/cancelled` also gives up the POST it names.

        Args:
            message: What is posted.
            stateless: Of a request: giving up its POST tells the server enough, its cancellation is not posted.
            deadline: Until when its answer is of use, on trio's clock.

        Raises:
            Overloaded: too much is on its way.
            Gone: closed.
        """
        if _is_cancellation(message) and self._give_up(message):
            return
        if self.why is not None:
            raise Gone(self.why)
        body = encode(message)
        self._check_bounds(len(body))
        outgoing = _Outgoing(message, body, trio.CancelScope(), stateless, deadline)
        self._inflight += 1
        self._inflight_bytes += len(body)
        if isinstance(message, Request):
            self._requests[message.id] = outgoing
            self._stateless = stateless
        self._waiting.append(outgoing)
        self._start_waiting()

    def start(self, nursery: trio.Nursery) -> None:
        """Starts what waits, and all that follows, in this nursery."""
        self._nursery = nursery
        self._start_waiting()

    def close(self, why: str) -> list[Id]:
        """Lets `send` raise `Gone(why)` and forgets what waits. What is in flight goes on, until its nursery ends.

        Returns:
            The requests that waited: nothing of them was sent.
        """
        if self.why is None:
            self.why = why
        waiting = list(self._waiting)
        self._waiting.clear()
        for outgoing in waiting:
            self._forget(outgoing)
        self._note_drained()
        return [out.message.id for out in waiting if isinstance(out.message, Request)]

    def _check_bounds(self, size: int) -> None:
        full = self._inflight >= limits.MAX_INFLIGHT_PER_REMOTE
        if full or self._inflight_bytes + size > limits.MAX_OUTBOUND_BYTES:
            refused(
                "to_servers.MAX_INFLIGHT_PER_REMOTE" if full else "to_servers.MAX_OUTBOUND_BYTES"
            )
            raise Overloaded(
                f"{self._who} has {self._inflight} messages in flight: try again later"
            )

    def _give_up(self, cancellation: Notification) -> bool:
        """Gives up the POST of the request that a cancellation names, if it is in flight; True where that is all."""
        try:
            named = _cancelled.decode(cancellation.params or b"{}").request_id
        except msgspec.DecodeError:
            return self._stateless
        if named is None or (outgoing := self._requests.get(named)) is None:
            return self._stateless
        outgoing.scope.cancel()
        return outgoing.stateless

    def _start_waiting(self) -> None:
        """Starts waiting messages in order, up to and including one that goes alone."""
        while self._nursery is not None and self._waiting and not self._alone:
            outgoing = self._waiting.popleft()
            self._alone = is_initialized(outgoing.message)
            self._nursery.start_soon(self._deliver, outgoing)

    async def _deliver(self, outgoing: _Outgoing) -> None:
        try:
            with outgoing.scope:
                await self._post(outgoing.message, outgoing.body, outgoing.deadline)
        finally:
            self._forget(outgoing)

    def _forget(self, outgoing: _Outgoing) -> None:
        self._inflight -= 1
        self._inflight_bytes -= len(outgoing.body)
        match outgoing.message:
            case Request(id=number) if self._requests.get(number) is outgoing:
                del self._requests[number]
            case message if is_initialized(message):
                self._alone = False
                self._start_waiting()
        self._note_drained()

    def _note_drained(self) -> None:
        if self.why is not None and not self._inflight:
            self.drained.set()
