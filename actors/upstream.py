"""One live MCP server behind us: the handshake, the calls in flight, the reader that settles them.

Works over any `MessagePipe`; must not know containers, HTTP or pools. Calls are sent and settled by plain function
calls: one task (the reader) serves all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec
import trio

from actors.call import Answer, Call
from actors.server_request import ServerRequest
from gateway import __version__, limits
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
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request, Result
from gateway.mcp import handshake, params, versions
from gateway.mcp.handshake import ServerHello
from gateway.mcp.profile import NEUTRAL, ClientProfile
from gateway.ports import MessagePipe
from gateway.telemetry.log import get_logger

log = get_logger("upstream")

CLIENT_INFO = codec.raw({"name": "mcpgw", "version": __version__})
"""How the gateway introduces itself to servers."""

_OBJECT = ord("{")

Opener = Callable[[], Awaitable[MessagePipe]]
"""Starts or connects a server. Raises what `Runtime.start` raises, or `Unavailable`."""


class Listener:
    """What an upstream reports besides the answers of calls. The defaults ignore everything."""

    def answered(self) -> None:
        """A call left the table: answered, failed or withdrawn."""

    def list_changed(self, method: str) -> None:
        """A `notifications/*/list_changed` came."""

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
        self.ended: GatewayError | None = None
        """Why it takes no more calls; None while it does."""
        self._listener = listener
        self._inflight: IdMap[Call] = IdMap()
        self._asked: dict[Id, ServerRequest] = {}
        """Requests of the server that wait for the client, by the server's own ids."""
        self._gone = trio.Event()

    def __repr__(self) -> str:
        """The pipe and how busy it is."""
        state = "ended" if self.ended else "ready" if self.hello else "opening"
        return f"<Upstream {self.server} {self.pipe.name} {state} inflight={self.inflight}>"

    @property
    def inflight(self) -> int:
        """Calls that wait for an answer."""
        return len(self._inflight)

    async def run(self) -> None:
        """Reads until the server is gone, then fails what is in flight. Never raises but for cancellation.

        Cancellation: the calls in flight stay; `end` is the owner's to call.
        """
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

    def end(self, error: GatewayError) -> None:
        """Takes no more calls, and fails those in flight with `error`. Idempotent: the first reason stays."""
        if self.ended is not None:
            return
        self.ended = error
        self._gone.set()
        for call in self._inflight.drain():
            call.settle(failure_of(error))
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
        fields = call.fields
        if call.progress_token is not None:
            fields = params.with_progress_token(fields, number)
        call.holder = self
        try:
            self.pipe.send(Request(number, call.method, params.pack(fields)))
        except GatewayError as error:
            self._inflight.pop(number)
            call.settle(failure_of(error))

    def withdraw(self, call: Call, reason: str) -> None:
        """Forgets a call and sends `notifications/cancelled` for it."""
        if self._inflight.get(call.number) is not call:
            return
        self._inflight.pop(call.number)
        call.holder = None
        self._listener.answered()
        fields = {"requestId": codec.raw(call.number), "reason": codec.raw(reason)}
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

    def set_log_level(self, level: str) -> None:
        """Tells the server how much its client wants to hear; whatever it answers."""
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
        )
        self.start(call)
        try:
            with trio.move_on_after(within_s):
                await done.wait()
        finally:
            call.withdraw("no longer wanted")
        return self._result(method, answers[0], within_s)

    def _result(
        self, method: str, answer: msgspec.Raw | Failure | None, within_s: float
    ) -> msgspec.Raw:
        """The result in an answer, or the error that it stands for."""
        if answer is None:
            raise TooSlow(f"server {self.server} did not answer {method} within {within_s:g} s")
        if isinstance(answer, Failure):
            if self.ended is not None:
                raise self.ended
            raise ProtocolFault(
                f"server {self.server} refused {method}: {answer.message} ({answer.code})"
            )
        return answer

    # --- handshake and lists -----------------------------------------------------------------------------------

    async def initialize(self, *, within_s: float, profile: ClientProfile = NEUTRAL) -> ServerHello:
        """Does the handshake, in the name of a client with that profile.

        Source: MCP 2025-11-25, basic/lifecycle, "Initialization".

        Raises:
            TooSlow: no answer within `within_s`.
            Gone: the server ended first; the text has the tail of its stderr.
            ProtocolFault: it answered an error, nonsense, or an unknown revision.
        """
        offered = handshake.initialize_params(
            versions.LATEST, capabilities=profile.capabilities, client_info=CLIENT_INFO
        )
        result = await self.ask("initialize", params.fields(offered), within_s=within_s)
        hello = handshake.parse_initialize_result(result)
        self.notify("notifications/initialized")
        if profile.log_level and "logging" in hello.capabilities:
            self.set_log_level(profile.log_level)
        self.hello = hello
        return hello

    # --- what the server sends ---------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        """Handles one message of the server."""
        match message:
            case Result():
                if (call := self._inflight.pop(message.id)) is not None:
                    call.settle(self._checked(message.result))
                    self._listener.answered()
                else:
                    log.debug("unknown_answer", server=self.server, id=message.id)
            case Failure():
                call = self._inflight.pop(message.id) if message.id is not None else None
                if call is not None:
                    call.settle(Failure(None, message.code, message.message, message.data))
                    self._listener.answered()
                else:
                    log.debug("unknown_failure", server=self.server, text=message.message)
            case Request():
                self._answer(message)
            case Notification():
                self._note(message)

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
        elif method == "notifications/message" and len(self._inflight) == 1:
            # A log line names no call; with a single one in flight there is no doubt whose it is.
            next(iter(self._inflight)).relay(notification)
        elif method == "notifications/cancelled":
            self._retract(notification)
        else:
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
