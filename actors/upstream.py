"""One live MCP server behind us: the calls in flight, and the reader that settles them.

Works over any `MessagePipe`; must not know containers, HTTP or pools. How the server is spoken to is its dialect's
business, found out by `actors.greeting`. Calls are sent and settled by plain function calls: one task (the reader)
serves all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec
import trio

from actors.answers import checked, failure_of, loss_of
from actors.call import Answer, Call
from actors.dialects import LEGACY, Dialect
from actors.rounds import Rounds
from actors.server_notes import ServerNotes
from actors.server_questions import ServerQuestions
from actors.standing import Standing
from actors.upstream_listener import Listener
from gateway.errors import (
    GatewayError,
    Gone,
    Overloaded,
    ProtocolFault,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.ids import IdMap
from gateway.jsonrpc.messages import (
    Failure,
    Id,
    Illegible,
    Message,
    Missed,
    Notification,
    OutcomeUnknown,
    Request,
    Result,
    Untaken,
)
from gateway.mcp import methods, params
from gateway.mcp.handshake import ServerHello
from gateway.ports import MessagePipe
from gateway.telemetry.log import get_logger

log = get_logger("upstream")

Opener = Callable[[], Awaitable[MessagePipe]]
"""Starts or connects a server. Raises what `Runtime.start` raises, or `Unavailable`."""


class Upstream:
    """A server that is connected.

    Args:
        pipe: the messages; closed by its owner, not by this class.
        server: the server's name, for texts and logs.
        listener: told what is not an answer.
    """

    def __init__(self, pipe: MessagePipe, *, server: str, listener: Listener) -> None:
        self.pipe = pipe
        self.server = server
        self.hello: ServerHello | None = None
        """What it says of itself; None before it was greeted."""
        self.dialect: Dialect = LEGACY
        self.ended: GatewayError | None = None
        """Why it takes no more calls; None while it does."""
        self._listener = listener
        self._inflight: IdMap[Call] = IdMap()
        self._questions = ServerQuestions(
            server=server, inflight=self._inflight, send=self.send, asked=listener.asked
        )
        self._notes = ServerNotes(
            server=server,
            inflight=self._inflight,
            listener=listener,
            retracted=self._questions.retract,
        )
        self._rounds = Rounds(
            server=server,
            ask=listener.asked,
            send=self.start,
            settle=self._settle,
            withdrawn=lambda: listener.answered(trio.current_time()),
        )
        self._standing = Standing()
        self._gone = trio.Event()
        self._overdue = trio.Event()
        """Set when a call was taken back because its deadline had passed; replaced once somebody has seen it."""
        self._has_withdrawn = False
        """Whether it may answer a call that nobody waits for any more."""

    def __repr__(self) -> str:
        """The pipe and how busy it is."""
        state = "ended" if self.ended else "ready" if self.hello else "opening"
        return f"<Upstream {self.server} {self.pipe.name} {state} inflight={self.inflight}>"

    @property
    def inflight(self) -> int:
        """Calls that wait for an answer, or for their client."""
        return len(self._inflight) + len(self._rounds)

    async def run(self) -> None:
        """Reads until the server is gone, then fails what is in flight. Never raises but for cancellation.

        Cancellation: the calls in flight stay; `end` is the owner's to call.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._rounds.run)
            await self._read()
            nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        """Takes message after message until the server is gone."""
        try:
            while True:
                self._take(await self.pipe.receive())
        except GatewayError as error:
            self.end(error)
        except Exception as error:  # noqa: BLE001 -- what a server sends must never cost more than that server
            log.crash("upstream_failed", error, server=self.server)
            self.end(
                ProtocolFault(
                    f"the gateway failed on what server {self.server} sent; its log says how"
                )
            )

    async def wait_gone(self) -> None:
        """Returns once the server takes no more calls."""
        await self._gone.wait()

    async def overdue(self) -> None:
        """Returns once a call has passed its deadline since this was last asked."""
        await self._overdue.wait()
        self._overdue = trio.Event()

    def end(self, error: GatewayError) -> None:
        """Takes no more calls, and fails those in flight with `error`. Idempotent: the first reason stays."""
        if self.ended is not None:
            return
        self.ended = error
        self._gone.set()
        for call in self._inflight.drain():
            self._lose(call, loss_of(call, error))
        self._standing.end(failure_of(error))
        self._rounds.end(failure_of(error))
        self._questions.end()

    # --- calls -------------------------------------------------------------------------------------------------

    def start(self, call: Call) -> None:
        """Sends a call; it settles later, or at once where it cannot be sent."""
        if self.ended is not None:
            call.settle(failure_of(self.ended))
            return
        number = call.number = self._inflight.add(call)
        call.holder = self
        try:
            fields = self.dialect.dressed(call)
            request = Request(number, call.method, params.pack(fields))
            self.pipe.send(request, deadline=call.deadline)
        except Gone as error:
            self._inflight.pop(number, None)
            self._give_back(call, failure_of(error))
        except GatewayError as error:
            self._inflight.pop(number, None)
            call.settle(failure_of(error))

    def subscribe(self, call: Call) -> Id:
        """Sends a request that stays open; gives its id, under which the server tells of what was subscribed to."""
        number = self._standing.add(call)
        try:
            if self.ended is not None:
                raise self.ended
            self.pipe.send(Request(number, call.method, params.pack(self.dialect.dressed(call))))
        except GatewayError as error:
            self._standing.settle(number, failure_of(error))
        return number

    def unsubscribe(self, number: Id) -> None:
        """Ends what `subscribe` began."""
        if self._standing.drop(number):
            self._send_cancelled(number, "no longer wanted")

    def withdraw(self, call: Call, reason: str) -> None:
        """Forgets a call and sends `notifications/cancelled` for it."""
        if self._inflight.get(call.number) is not call:
            return
        self._inflight.pop(call.number, None)
        self._has_withdrawn = True
        call.holder = None
        self._listener.answered(trio.current_time())
        self._send_cancelled(call.number, reason)
        if self.hello is not None and call.deadline <= trio.current_time():
            self._overdue.set()

    def _send_cancelled(self, number: Id, reason: str) -> None:
        fields = {"requestId": codec.raw(number), "reason": codec.raw(reason)}
        self.notify("notifications/cancelled", fields)

    def notify(self, method: str, fields: Mapping[str, msgspec.Raw] | None = None) -> None:
        """Sends a notification, if the server still takes any."""
        self.send(Notification(method, params.pack(fields) if fields else None))

    def send(self, message: Message) -> None:
        """Sends what is owed no answer, if the server still takes anything."""
        try:
            self.pipe.send(message)
        except (Gone, Overloaded) as error:
            log.debug("message_dropped", server=self.server, reason=str(error))

    def inform(self, notification: Notification) -> None:
        """Passes a client's notification on, unless the server's revision lacks it."""
        if self.hello is None or not methods.may_pass(
            notification.method, version=self.hello.version, sender="client"
        ):
            log.debug("notification_stripped", server=self.server, method=notification.method)
            return
        self.send(notification)

    # --- what the server sends ---------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        """Handles one message of the server."""
        match message:
            case Result():
                self._settle_by_id(message.id, checked(message.result, self.server))
            case Untaken():
                answer = Failure(None, message.code, message.message)
                self._give_back(self._inflight.pop(message.id, None), answer)
            case OutcomeUnknown():
                if (call := self._inflight.pop(message.id, None)) is not None:
                    self._lose(call, Failure(None, message.code, message.message))
                    self._listener.answered(trio.current_time())
                else:
                    self._settle_by_id(message.id, Failure(None, message.code, message.message))
            case Illegible() if message.id is None:
                self._take_illegible(message)
            case Failure():
                answer = Failure(None, message.code, message.message, message.data)
                self._settle_by_id(message.id, answer)
            case Request():
                self._questions.take(message, modern=self.dialect.era == "modern")
            case Missed():
                self._listener.missed()
            case Notification():
                self._notes.take(message, self.dialect)

    def _settle_by_id(self, number: Id | None, answer: Answer) -> None:
        """Finds whose answer that is."""
        if (call := self._inflight.pop(number, None)) is not None:
            call.holder = None
            if call.tasked:
                self._listener.tasked(call, answer)
            asks = self.dialect.era == "modern" and self._rounds.carry_on(call, answer)
            if not asks:
                self._settle(call, self.dialect.read(call, answer))
        elif number is None or not self._standing.settle(number, answer):
            log.debug("unknown_answer", server=self.server, id=number)

    def _take_illegible(self, message: Illegible) -> None:
        """An answer that cannot be read: to the one call that there can be one to. Where there are others nobody knows whose.

        Whoever waits for it would wait for its deadline, and whoever else is told would lose its own.
        """
        if len(self._inflight) == self.inflight == 1 and not self._has_withdrawn:
            (call,) = self._inflight.values()
            self._settle_by_id(call.number, Failure(None, message.code, message.message))
        elif self.inflight:
            self.end(ProtocolFault(f"{message.message}; nobody knows to which call"))

    def _give_back(self, call: Call | None, answer: Failure) -> None:
        """The server takes nothing more, and has not executed this call: it fails, unless it is sent elsewhere."""
        if call is not None:
            call.holder = None
        if not self._listener.untaken(call, answer.message) and call is not None:
            call.settle(answer)
        self._listener.answered(trio.current_time())

    def _lose(self, call: Call, answer: Failure) -> None:
        """Nobody knows whether the server has executed this call: it fails, unless somebody may send it once more."""
        call.holder = None
        if not self._listener.lost(call, answer.message):
            call.settle(answer)

    def _settle(self, call: Call, answer: Answer | None) -> None:
        """Ends a call."""
        call.settle(answer)
        self._listener.answered(call.ended)
