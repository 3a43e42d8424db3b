"""One live MCP server behind us: the calls in flight, and the reader that settles them.

Works over any `MessagePipe`; must not know containers, HTTP or pools. How the server is spoken to is its dialect's
business, found out by `actors.greeting`. Calls are sent and settled by plain function calls: one task (the reader)
serves all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec
import trio

from actors.call import Answer, Call
from actors.dialects import LEGACY, Dialect
from actors.rounds import Rounds
from actors.server_request import METHOD_NOT_FOUND, ServerRequest
from gateway import limits
from gateway.errors import (
    GatewayError,
    Gone,
    InvalidParams,
    Overloaded,
    ProtocolFault,
    TooSlow,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.ids import IdMap
from gateway.jsonrpc.messages import (
    Failure,
    Id,
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
from gateway.mcp.profile import ClientProfile
from gateway.ports import MessagePipe
from gateway.telemetry.log import get_logger

log = get_logger("upstream")

OURSELVES = ClientProfile(era="modern")
"""What servers are told of the gateway where it asks by itself: it can do nothing, and reads results as they are."""

_OBJECT = ord("{")

Opener = Callable[[], Awaitable[MessagePipe]]
"""Starts or connects a server. Raises what `Runtime.start` raises, or `Unavailable`."""


class Listener:
    """What an upstream reports besides the answers of calls. The defaults ignore everything."""

    def answered(self) -> None:
        """A call left the table: answered, failed or withdrawn."""

    def untaken(self, call: Call | None, reason: str) -> bool:  # noqa: ARG002 -- the default uses neither
        """The server takes no more calls over this pipe; it has not executed `call`, where one is named.

        True where somebody else sees to that call now.
        """
        return False

    def lost(self, call: Call, reason: str) -> bool:  # noqa: ARG002 -- the default uses neither
        """Nobody knows whether the server executed that call. True where somebody else sees to it now."""
        return False

    def tasked(self, call: Call, answer: Answer) -> None:
        """An answer came that may tell of a task."""

    def list_changed(self, method: str) -> None:
        """A `notifications/*/list_changed` came."""

    def missed(self) -> None:
        """What the server said unasked may not have arrived."""

    def notified(self, notification: Notification) -> None:
        """A notification came that belongs to no single call (a log message, a resource update)."""

    def asked(self, request: ServerRequest) -> None:
        """The server wants something of its client."""
        request.refuse(f"this client does not serve {request.method}")


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
        self._asked: dict[Id, ServerRequest] = {}
        """Requests of the server that wait for the client, by the server's own ids."""
        self._rounds = Rounds(
            server=server,
            ask=listener.asked,
            send=self.start,
            settle=self._settle,
            withdrawn=listener.answered,
        )
        self._standing: dict[Id, Call] = {}
        """Subscriptions, which no answer ends: they keep nobody busy."""
        self._last_standing = 0
        self._gone = trio.Event()
        self._overdue = trio.Event()
        """Set when a call was taken back because its deadline had passed; replaced once somebody has seen it."""

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
            self._lose(call, _loss_of(call, error))
        standing, self._standing = self._standing, {}
        for call in standing.values():
            call.settle(failure_of(error))
        self._rounds.end(failure_of(error))
        asked, self._asked = self._asked, {}
        for request in asked.values():
            request.retract()

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
            self._inflight.pop(number)
            self._give_back(call, failure_of(error))
        except GatewayError as error:
            self._inflight.pop(number)
            call.settle(failure_of(error))

    def subscribe(self, call: Call) -> Id:
        """Sends a request that stays open; gives its id, under which the server tells of what was subscribed to."""
        self._last_standing += 1
        number = f"listen-{self._last_standing}"
        if self.ended is not None:
            call.settle(failure_of(self.ended))
            return number
        self._standing[number] = call
        try:
            self.pipe.send(Request(number, call.method, params.pack(self.dialect.dressed(call))))
        except GatewayError as error:
            del self._standing[number]
            call.settle(failure_of(error))
        return number

    def unsubscribe(self, number: Id) -> None:
        """Ends what `subscribe` began."""
        if self._standing.pop(number, None) is not None:
            self._send_cancelled(number, "no longer wanted")

    def withdraw(self, call: Call, reason: str) -> None:
        """Forgets a call and sends `notifications/cancelled` for it."""
        if self._inflight.get(call.number) is not call:
            return
        self._inflight.pop(call.number)
        call.holder = None
        self._listener.answered()
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

    def set_log_level(self, level: str) -> None:
        """Tells the server how much its client wants to hear; whatever it answers. Modern ones are told in each call."""
        if self.dialect.era == "modern":
            return
        self.start(
            Call(
                "logging/setLevel",
                {"level": codec.raw(level)},
                server=self.server,
                owner="",
                timeout_s=limits.CALL_TIMEOUT_S,
                settled=lambda _call, _answer: None,
                relayed=lambda _call, _message: None,
            )
        )

    async def ask(
        self, method: str, fields: dict[str, msgspec.Raw], *, within_s: float
    ) -> msgspec.Raw:
        """Sends a request of the gateway's own and waits for its result.

        Cancellation: the server is told.

        Raises:
            Gone, TooSlow, Overloaded
            ProtocolFault: the server answered an error.
        """
        answer = await self.inquire(method, fields, within_s=within_s)
        if isinstance(answer, Failure):
            raise ProtocolFault(
                f"server {self.server} refused {method}: {answer.message} ({answer.code})"
            )
        return answer

    async def inquire(
        self, method: str, fields: dict[str, msgspec.Raw], *, within_s: float
    ) -> Answer:
        """The same, for who can make sense of an error.

        Raises:
            Gone, TooSlow, Overloaded
        """
        done = trio.Event()
        answers: list[msgspec.Raw | Failure | None] = []

        def settled(_call: Call, answer: msgspec.Raw | Failure | None) -> None:
            answers.append(answer)
            done.set()

        call = Call(
            method,
            fields,
            server=self.server,
            owner="",
            timeout_s=within_s,
            settled=settled,
            relayed=lambda _call, _notification: None,
            profile=OURSELVES,
        )
        self.start(call)
        try:
            with trio.move_on_after(within_s):
                await done.wait()
        finally:
            call.withdraw("no longer wanted")
        if answers[0] is None:
            # What is left of a deadline has a long fraction that tells nobody anything.
            patience = f"{round(within_s, 1):g} s"
            raise TooSlow(f"server {self.server} did not answer {method} within {patience}")
        if isinstance(answers[0], Failure) and self.ended is not None:
            raise self.ended
        return answers[0]

    # --- what the server sends ---------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        """Handles one message of the server."""
        match message:
            case Result():
                self._settle_by_id(message.id, self._checked(message.result))
            case Untaken():
                answer = Failure(None, message.code, message.message)
                self._give_back(self._inflight.pop(message.id), answer)
            case OutcomeUnknown():
                if (call := self._inflight.pop(message.id)) is not None:
                    self._lose(call, Failure(None, message.code, message.message))
                    self._listener.answered()
                else:
                    self._settle_by_id(message.id, Failure(None, message.code, message.message))
            case Failure():
                answer = Failure(None, message.code, message.message, message.data)
                self._settle_by_id(message.id, answer)
            case Request():
                self._answer(message)
            case Missed():
                self._listener.missed()
            case Notification():
                self._note(message)

    def _settle_by_id(self, number: Id | None, answer: Answer) -> None:
        """Finds whose answer that is."""
        if (call := self._inflight.pop(number)) is not None:
            call.holder = None
            if call.tasked:
                self._listener.tasked(call, answer)
            asks = self.dialect.era == "modern" and self._rounds.carry_on(call, answer)
            if not asks:
                self._settle(call, self.dialect.read(call, answer))
        elif number is not None and (call := self._standing.pop(number, None)) is not None:
            call.settle(answer)
        else:
            log.debug("unknown_answer", server=self.server, id=number)

    def _give_back(self, call: Call | None, answer: Failure) -> None:
        """The server takes nothing more, and has not executed this call: it fails, unless it is sent elsewhere."""
        if call is not None:
            call.holder = None
        if not self._listener.untaken(call, answer.message) and call is not None:
            call.settle(answer)
        self._listener.answered()

    def _lose(self, call: Call, answer: Failure) -> None:
        """Nobody knows whether the server has executed this call: it fails, unless somebody may send it once more."""
        call.holder = None
        if not self._listener.lost(call, answer.message):
            call.settle(answer)

    def _settle(self, call: Call, answer: Answer | None) -> None:
        """Ends a call."""
        call.settle(answer)
        self._listener.answered()

    def _checked(self, result: msgspec.Raw) -> Answer:
        """The result; a failure where it is no object, which no result of MCP may be: strict clients break on it."""
        if memoryview(result)[0] == _OBJECT:
            return result
        return failure_of(
            ProtocolFault(f"server {self.server} answered with something else than an object")
        )

    def _answer(self, request: Request) -> None:
        """Answers a ping of the server; anything else is asked of the client."""
        if request.method == "ping":
            self.send(Result(request.id, codec.raw({})))
            return
        if self.dialect.era == "modern":
            # It asks within results; nobody would know what to make of this.
            self.send(Failure(request.id, METHOD_NOT_FOUND, f"{request.method} is not served"))
            return
        if request.id in self._asked:
            self.send(Failure(request.id, -32600, f"id {request.id!r} is in use"))
            return
        # A request of a server names no call; with a single one in flight there is no doubt whose it is.
        call = next(iter(self._inflight)) if len(self._inflight) == 1 else None
        asked = ServerRequest(
            request.method,
            request.params,
            server=self.server,
            call=call,
            answered=partial(self._reply, request.id),
        )
        self._asked[request.id] = asked
        for waiting in self._inflight:
            waiting.is_heard = True
            waiting.wait_for_client()
        self._listener.asked(asked)

    def _reply(self, request_id: Id, answer: Answer) -> None:
        """Gives the server its client's answer."""
        self._asked.pop(request_id, None)
        for waiting in self._inflight:
            waiting.extend()
        if isinstance(answer, Failure):
            self.send(Failure(request_id, answer.code, answer.message, answer.data))
        else:
            self.send(Result(request_id, answer))

    def _note(self, notification: Notification) -> None:
        """Sends a notification to the call that it belongs to, else to the listener."""
        method = notification.method
        if method == "notifications/progress":
            self._progress(notification)
        elif method.endswith("/list_changed"):
            self._listener.list_changed(method)
        elif method == "notifications/message":
            self._log_line(notification)
        elif method == "notifications/cancelled":
            self._retract(notification)
        else:
            self._listener.notified(notification)

    def _log_line(self, notification: Notification) -> None:
        """A log line goes to the call that it belongs to; where that cannot be told, to whose server this is."""
        call = self.dialect.listener_of_log(self._inflight)
        if call is not None:
            call.relay(notification)
        elif self.dialect.era == "legacy":
            self._listener.notified(notification)

    def _retract(self, notification: Notification) -> None:
        """The server no longer wants the answer to a request of its own."""
        try:
            request_id = params.request_id(params.fields(notification.params))
        except InvalidParams:
            return
        if (request := self._asked.pop(request_id, None)) is not None:
            request.retract()

    def _progress(self, notification: Notification) -> None:
        """Gives progress back its client's token; the call's deadline starts anew."""
        try:
            fields = params.fields(notification.params)
            token = params.reported_token(fields)
        except InvalidParams:
            log.debug("bad_progress", server=self.server)
            return
        call = self._inflight.get(token)
        if call is None or call.progress_token is None:
            return
        call.extend()
        fields["progressToken"] = codec.raw(call.progress_token)
        call.relay(Notification(notification.method, params.pack(fields)))


def failure_of(error: GatewayError) -> Failure:
    """An error as the answer of a call."""
    return Failure(None, error.code, str(error))


def _loss_of(call: Call, error: GatewayError) -> Failure:
    """The end of its server as the answer of a call: what may have had effects, its client has to look after."""
    text = str(error)
    if call.method == "tools/call" and "outcome is unknown" not in text:
        text = f"{text}; the call's outcome is unknown"
    return Failure(None, error.code, text)
