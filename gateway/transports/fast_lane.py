"""The short way of a POST to its session and back, without a task, scope or nursery of its own; and of event streams.

A request that comes in one piece is served from the turn of whoever read it (`express`); any other by the connection's
task, which then goes back to reading, for that also shows that a client leaves. Whoever has the answer (mostly a
server's reader) writes it to the client there and then. What the lane does not take, the connection leaves to
hypercorn; what both take they answer alike, for all decisions are the front's.

Must not know what requests mean.
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits
from gateway.errors import GatewayError
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused
from gateway.transports.event_stream import stream_events
from gateway.transports.exchange import Exchange
from gateway.transports.front import Front, Posting, Serving, explain, session_of
from gateway.transports.head_check import CheckedHead
from gateway.transports.http import EVENTS, ClientLeft, Refused, Reply, stalled, too_long
from gateway.transports.http_writing import CONTINUE
from gateway.transports.lane_call import LaneCall, write_reply
from gateway.transports.line import Line
from gateway.transports.refusals import refusal
from gateway.transports.request_head import RequestHead

_PATHS: Final = {
    path.encode() + slash: path + slash.decode()
    for path in ("/mcp", "/sse", "/messages")
    for slash in (b"", b"/")
} | {b"/": "/"}
"""Addresses that take POSTs, or have event streams."""
_KEPT: Final = frozenset({b"", b"keep-alive"})
_ENDED: Final = b"close"
_ANNOUNCED: Final = b"100-continue"
_log = get_logger("http")


class FastLane:
    """The lane of one connection."""

    def __init__(self, front: Front, line: Line, *, scheme: str) -> None:
        self._front = front
        self._line = line
        self._scheme = scheme
        self._checked: CheckedHead | None = None
        """The head that was looked at last, and what was made of it."""
        self._head: RequestHead | None = None
        self._is_last = False
        """Whether the client wants the connection to end with the answer."""
        self._busy = False
        """Whether an answer is in the making."""
        self._exchange: Exchange | None = None
        """Where that is; None for a stream that is no POST's."""
        self._answered = trio.Event()
        """Set when nothing is in the making any more; made anew by who waits."""
        self._given_up = False
        """Whether the client was told that its body took too long."""

    def takes(self, checked: CheckedHead) -> bool:
        """Whether it serves such a request."""
        known, self._checked = self._checked, checked
        # To a POST the length of its body makes no difference; a GET is an event stream only where it has none.
        if known is None or checked.headers is not known.headers or checked.method != b"POST":
            self._is_last = checked.headers.get(b"connection", b"").lower() == _ENDED
            head = self._head = self._read(checked)
            if head is not None and (client := session_of(head)) is not None:
                self._line.belongs_to(client)
        return self._head is not None

    def express(self, came: bytes) -> bool:
        """Serves what has come, if it is one whole POST that the lane takes and nothing is under way; says whether it has.

        Its answer may still be in the making then; or all that came is a head, whose body many clients send by itself.
        Whatever is not for it is for the connection's task, which finds the same and can wait.
        """
        line = self._line
        if not came or self._busy or line.ends or not line.outflow.is_clear:
            return False
        held, line.held = line.held, b""
        try:
            if self._express(held + came):
                return True
        except GatewayError:
            pass
        line.held = held
        return False

    def _express(self, came: bytes) -> bool:
        """The same for all that came of one request.

        Raises:
            GatewayError: it is refused.
        """
        line = self._line
        parted = line.parted(came)
        if parted is None or not self.takes(parted[0]):
            return False
        (checked, body), head, front = parted, self._request, self._front
        admitted = front.admit(head)
        if not isinstance(admitted, Posting):
            return False
        if checked.body_bytes == len(body):
            line.begin()
            line.ends = self._is_last
            self._answer(front.take(head, admitted, body))
            return True
        if body or not checked.body_bytes or b"expect" in checked.headers:
            return False
        line.held = came
        line.deadline.set(limits.BODY_STALL_S, self._stalled)
        return True

    async def serve(self, checked: CheckedHead) -> None:
        """Serves one request that it takes, up to its answer.

        Raises:
            ClientLeft: the client is gone.
        """
        line, head = self._line, self._request
        line.ends = line.ends or self._is_last
        try:
            admitted = self._front.admit(head)
            size = checked.body_bytes
            if size is not None and size > limits.MAX_FRAME_BYTES:
                refused("from_clients.MAX_FRAME_BYTES")
                raise too_long(limits.MAX_FRAME_BYTES)  # noqa: TRY301 -- as any refusal
        except Exception as error:  # noqa: BLE001 -- the edge: one broken request must not end the others
            await self._refuse(checked, explain(head, error))
            return
        match admitted:
            case Posting():
                await self._take(checked, admitted)
            case Serving():
                await self._attend(admitted)
            case _:
                self._reply(admitted)

    async def _take(self, checked: CheckedHead, posting: Posting) -> None:
        """Serves a POST that may send its body.

        Raises:
            ClientLeft: the client is gone.
        """
        line, head = self._line, self._request
        body = line.whole_body(checked)
        if body is None:
            if b"expect" in checked.headers and not line.held:
                line.outflow.write(CONTINUE)
            try:
                body = await line.body(checked, limits.MAX_FRAME_BYTES, stalled=self._stalled)
            except Refused as fault:
                self._reply(explain(head, fault))
                return
            if self._given_up:
                raise ClientLeft
        self._answer(self._front.take(head, posting, body))
        # This task reads from now on, until the client says more: a body may be large.
        del body
        await self.settled()

    async def _attend(self, serving: Serving) -> None:
        """Serves an event stream to its end, in a task of its own: this one sees whether the client is there."""
        self._line.deadline.clear()
        self._busy = True
        self._exchange = None
        self._line.nursery.start_soon(self._serve, serving)
        await self.settled()

    async def _serve(self, serving: Serving) -> None:
        call = LaneCall(self._request, self._line)
        try:
            await serving.service(call, serving.principal)
        except Exception as error:  # noqa: BLE001 -- the edge, as above
            reply = explain(self._request, error)
            if not call.started:
                await call.respond(reply)
        finally:
            self._end(call)

    def _read(self, checked: CheckedHead) -> RequestHead | None:
        """The head of a request that the lane takes; None for any other."""
        target, _, query = checked.target.partition(b"?")
        headers = checked.headers
        connection = headers.get(b"connection", b"").lower()
        if (
            not checked.minor
            or target not in _PATHS
            or b"upgrade" in headers
            or (connection not in _KEPT and connection != _ENDED)
            or headers.get(b"expect", _ANNOUNCED).lower() != _ANNOUNCED
        ):
            return None
        head = RequestHead(checked.method.decode(), _PATHS[target], query, headers, self._scheme)
        is_stream = checked.method == b"GET" and checked.body_bytes == 0
        is_stream = is_stream and EVENTS in head.accepted.named
        return head if is_stream or checked.method == b"POST" else None

    async def _refuse(self, checked: CheckedHead, reply: Reply) -> None:
        """Answers before the body has come. Most of them come all the same, and are thrown away for a moment."""
        line = self._line
        write_reply(line, self._request, reply)
        if not line.ends:
            await line.skip(checked)
        line.rest()

    def _stalled(self) -> None:
        """The body stopped arriving."""
        self._given_up = True
        refused("from_clients.BODY_STALL_S")
        self._reply(refusal(stalled()))

    def _answer(self, outcome: Reply | Exchange) -> None:
        """Sends the answer, or sees to it that it is sent once it is made."""
        if isinstance(outcome, Reply):
            self._reply(outcome)
            return
        self._busy = True
        self._exchange = outcome
        outcome.watch(self._decided)
        if outcome.mode == "open":
            self._line.deadline.set(outcome.patience_s, outcome.stream)

    async def settled(self) -> None:
        """Until nothing is in the making, or its client is gone for good.

        What the client sends ahead waits, and no more of it is read.
        """
        line = self._line
        while self._busy:
            if not line.held and await line.more():
                continue
            if line.gone.is_set():
                self._left()
            self._answered = trio.Event()
            while self._busy:
                await self._answered.wait()

    def _left(self) -> None:
        """The client sends no more; an answer that does not survive that is given up."""
        exchange = self._exchange
        if exchange is not None and exchange.mode == "open" and not exchange.survives:
            exchange.left()
            self._busy = False

    def _decided(self) -> None:
        """It is known what the answer is, or that it is a stream."""
        exchange = self._exchange
        if exchange is None:
            raise LookupError("no answer is in the making")
        if exchange.mode == "plain":
            try:
                reply = exchange.reply()
            except Exception as error:  # noqa: BLE001 -- the edge: whoever brings the answer must not pay for it
                reply = explain(self._request, error)
            exchange.left()
            self._reply(reply)
        else:
            self._line.deadline.clear()
            self._line.nursery.start_soon(self._stream, exchange)

    async def _stream(self, exchange: Exchange) -> None:
        """Writes the answer as events."""
        call = LaneCall(self._request, self._line)
        try:
            if exchange.events is not None:
                await stream_events(call, exchange.events, exchange.headers())
        finally:
            exchange.left()
            self._end(call)

    def _end(self, call: LaneCall) -> None:
        """A call is over. What was begun and not brought to its end must not look as if it was."""
        if not call.is_whole:
            self._line.abort()
        self._settle()

    def _reply(self, reply: Reply) -> None:
        write_reply(self._line, self._request, reply)
        self._settle()

    def _settle(self) -> None:
        """The request is over. A connection that rests does not keep its last answer, which may be large."""
        self._busy = False
        self._exchange = None
        self._line.rest()
        self._answered.set()

    @property
    def _request(self) -> RequestHead:
        """The head of the request that is served."""
        if self._head is None:
            raise LookupError("the lane does not take this request")
        return self._head
