"""One client: its handshake, its requests, its cancels, and what it has seen of the lists.

Must not know transports (it answers at an `Outlet`) nor containers (it hands calls to a `Door`). `receive` returns at
once; only what waits for unknown lists becomes a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec
import trio
from msgspec import structs

from actors.assignment import EVERYBODY
from actors.back_channel import BackChannel
from actors.call import Answer, Call
from actors.client_view import ClientView
from actors.house import House
from actors.server_request import ServerRequest
from actors.subscriptions import Subscriptions
from gateway import limits
from gateway.catalog.model import EnabledServer
from gateway.errors import (
    ActorGone,
    GatewayError,
    InvalidParams,
    Malformed,
    Overloaded,
    Unavailable,
    UnknownMethod,
    UnknownTarget,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request, Result
from gateway.mcp import content, handshake, log_levels, meta, methods, params, versions
from gateway.mcp.identity import SERVER_INFO
from gateway.mcp.listing import LIST_METHODS, ServerLists
from gateway.mcp.profile import NEUTRAL, profile_of
from gateway.mcp.targets import TARGETS, TASKS, Target, read_target
from gateway.mcp.versions import Version
from gateway.ports import Outlet, Principal, Route
from gateway.session_records import SessionRecord
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("session")

_SHOWN_CHARS: Final = 100
"""Of what a client sent, in a message."""
_ENDED: Final = "the session ended before the server answered"


class Session:
    """One client's session; implements `gateway.ports.ClientSession`."""

    def __init__(
        self, session_id: str, principal: Principal, *, transport: str, house: House
    ) -> None:
        self.id = session_id
        self.principal = principal
        self.owner = f"session:{session_id}"
        """This session as the owner of containers."""
        self.transport = transport
        self.protocol_version: str | None = None
        self.client_name = ""
        self.last_active = trio.current_time()
        self.is_closed = False
        self._house = house
        self._calls: dict[Id, Call] = {}
        self._pending: dict[Id, _Wait] = {}
        """Requests that wait for unknown lists."""
        self._stateless: dict[Id, Callable[[], None]] = {}
        """Unanswered requests of the modern era, with what cancels each."""
        self._outlets: list[Outlet] = []
        """Where messages without a request go; the newest is last."""
        self._initialized = False
        self._revision: Version | None = None
        self._profile = NEUTRAL
        self._view = ClientView(house.listings)
        self._back_channel = BackChannel(self._tell)
        self._subscriptions = Subscriptions()
        self._owes_news = False
        """Its lists may be others than the client knows: it is told as soon as it listens."""
        self._numbered = 0

    def __repr__(self) -> str:
        """The client and how busy it is; the id is a secret, so only its beginning."""
        return f"<Session {self.id[:6]} {self.transport} {self.client_name!r} calls={len(self._calls)}>"

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._calls or self._pending)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for nothing and nobody listens."""
        return not (self.is_busy or self._stateless or self._outlets)

    # --- the transport's side ----------------------------------------------------------------------------------

    def receive(self, message: Message, outlet: Outlet) -> None:
        """Takes one message. Returns at once; an answer, if one is due, arrives at `outlet` exactly once."""
        match message:
            case Request() if self.is_closed:
                # A container for it would never be given up: whoever is gone does not leave again.
                self._refuse(message.id, outlet, ActorGone("this session has ended"))
            case Request():
                try:
                    self._request(message, outlet)
                except GatewayError as error:
                    self._refuse(message.id, outlet, error)
            case Notification():
                self._notification(message)
                outlet.finish(None)
            case Result() | Failure():
                if not self._back_channel.answered(message):
                    log.debug("unexpected_answer", session=self.id[:6])
                outlet.finish(None)

    def attach(self, outlet: Outlet) -> None:
        """Names the outlet of messages that belong to no request; the newest one wins."""
        self._outlets.append(outlet)
        if self._owes_news:
            self._owes_news = False
            self.lists_changed()

    def detach(self, outlet: Outlet) -> None:
        """Forgets an outlet."""
        if outlet in self._outlets:
            self._outlets.remove(outlet)
        self.last_active = trio.current_time()

    def close(self) -> None:
        """Ends the session: its calls are cancelled, its containers given up, its streams ended. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        for wait in list(self._pending.values()):
            wait.scope.cancel()
        ended = Failure(None, -32000, _ENDED)
        for call in list(self._calls.values()):
            call.withdraw("session ended", answer=ended)
        for cancel in list(self._stateless.values()):
            cancel()
        self._back_channel.close()
        for door in self._house.doors().values():
            door.release(self.owner)
        for outlet in self._outlets:
            outlet.finish(None)
        self._outlets.clear()
        self._house.closed(self.id)

    # --- requests ----------------------------------------------------------------------------------------------

    def _request(self, request: Request, outlet: Outlet) -> None:
        """Answers, or sends on, one request.

        Raises:
            GatewayError: it is refused; nothing has been sent.
        """
        method = request.method
        if (
            request.id in self._calls
            or request.id in self._pending
            or request.id in self._stateless
        ):
            raise Malformed(f"request id {_shown(request.id)} is in use by an earlier request")
        waiting = len(self._calls) + len(self._pending) + len(self._stateless)
        if waiting >= limits.MAX_INFLIGHT_PER_SESSION:
            refused("from_clients.MAX_INFLIGHT_PER_SESSION")
            raise Overloaded(
                f"{limits.MAX_INFLIGHT_PER_SESSION} requests of this session wait for an answer already"
            )
        if self.protocol_version is None and meta.parse_meta(params.fields(request.params)):
            self._serve_stateless(request, outlet)
        elif method == "ping":
            self._reply(request.id, outlet, codec.raw({}))
        elif method == "initialize":
            self._initialize(request, outlet)
        elif self.protocol_version is None:
            raise Malformed(f"{_shown(method)} came before initialize; send initialize first")
        elif method in TARGETS and method != "tasks/update":
            self._call(request, outlet, read_target(method, params.fields(request.params)))
        elif method in LIST_METHODS:
            self._list(request, outlet)
        elif method == "logging/setLevel":
            self._set_level(request, outlet)
        else:
            raise UnknownMethod(f"method {_shown(method)} is not served")

    def _serve_stateless(self, request: Request, outlet: Outlet) -> None:
        """Serves a request of the modern era on a pipe: its client opens with these, and never initializes."""
        exchange = _Stateless(outlet, partial(self._stateless.pop, request.id, None))
        self._stateless[request.id] = lambda: None
        cancel = self._house.serve_stateless(
            request, principal=self.principal, transport=self.transport, outlet=exchange
        )
        if request.id in self._stateless:
            self._stateless[request.id] = cancel

    def _initialize(self, request: Request, outlet: Outlet) -> None:
        """Does the handshake.

        Source: MCP 2025-11-25, basic/lifecycle, "Initialization" and "Version Negotiation".
        """
        if self.protocol_version is not None:
            raise Malformed("this session is initialized already")
        hello = handshake.parse_initialize(request.params)
        version = versions.negotiate(hello.version)
        self._meet(version, hello.client_name, hello.capabilities)
        directory = self._view.show_all()
        log.info("client_connected", client=self.client_name, transport=self.transport)
        self._reply(
            request.id,
            outlet,
            handshake.initialize_result(
                version,
                capabilities=directory.capabilities(),
                instructions=directory.instructions(),
                server_info=SERVER_INFO,
            ),
        )

    def _meet(
        self,
        version: str,
        client_name: str,
        capabilities: Mapping[str, msgspec.Raw],
        *,
        log_level: str = "",
    ) -> None:
        """Takes note of who the client is, and has the servers expect it."""
        self.protocol_version = version
        self._revision = versions.find(version)
        self.client_name = client_name
        self._profile = profile_of(capabilities, log_level=log_level)
        self._back_channel.capabilities = capabilities
        self._back_channel.version = version
        for door in self._house.doors().values():
            door.expect(self._profile)
        self._house.remember(self)

    def record(self) -> SessionRecord | None:
        """What another gateway needs to go on with this session; None before the handshake."""
        if self.protocol_version is None:
            return None
        return SessionRecord(
            principal=self.principal.name,
            protocol_version=self.protocol_version,
            client_name=self.client_name,
            capabilities=self._back_channel.capabilities,
            log_level=self._profile.log_level,
            subscriptions=self._subscriptions.servers,
        )

    def resume(self, record: SessionRecord) -> None:
        """Goes on with a session of another gateway; what its servers had for it is made anew."""
        self._initialized = True
        self._owes_news = True
        self._meet(
            record.protocol_version,
            record.client_name,
            record.capabilities,
            log_level=record.log_level,
        )
        self._subscriptions.renew(
            record.subscriptions, self._house, owner_of=self._owner_of, profile=self._profile
        )
        log.info("client_resumed", client=self.client_name, transport=self.transport)

    def _set_level(self, request: Request, outlet: Outlet) -> None:
        """Keeps the client's log level."""
        level = params.text(params.fields(request.params), "level")
        if not log_levels.known(level):
            raise InvalidParams(
                f"log level {_shown(level)} is unknown; use one of {', '.join(log_levels.LEVELS)}"
            )
        self._profile = structs.replace(self._profile, log_level=level)
        for door in self._house.doors().values():
            door.set_log_level(self.owner, level)
        self._house.remember(self)
        self._reply(request.id, outlet, codec.raw({}))

    def _list(self, request: Request, outlet: Outlet) -> None:
        """Answers one page of a list, at once where all lists are known."""
        if self._view.complete(limits.UNCACHED_LIST_WAIT_S):
            self._reply(request.id, outlet, self._page(request))
        else:
            self._later(
                request,
                outlet,
                lambda: self._reply(request.id, outlet, self._page(request)),
                within_s=limits.UNCACHED_LIST_WAIT_S,
            )

    def _page(self, request: Request) -> msgspec.Raw:
        """One page of the list that the request names."""
        kind = LIST_METHODS[request.method]
        fields = params.fields(request.params)
        cursor = params.text(fields, "cursor") if "cursor" in fields else None
        return self._view.page(kind, cursor)

    def _call(self, request: Request, outlet: Outlet, target: Target) -> None:
        """Routes a call; waits for unknown lists only where the name is not known yet."""
        if self._house.draining:
            raise Overloaded("the gateway is shutting down; connect again later")
        if target.kind in TASKS:
            claims = self._house.task_ids.read(target.name, self.principal)
            route = Route(claims.server, claims.task_id)
            self._send(request, outlet, target, route, owner=claims.owner)
            return
        try:
            route = self._view.route(target.kind, target.name)
        except UnknownTarget:
            if self._view.complete(limits.CALL_TIMEOUT_S):
                raise
            self._send_later(request, outlet, target)
        else:
            self._send(request, outlet, target, route)

    def _send_later(self, request: Request, outlet: Outlet, target: Target) -> None:
        """Sends a call as soon as it is known where it leads."""
        self._later(
            request,
            outlet,
            lambda: self._send(request, outlet, target, self._view.route(target.kind, target.name)),
            within_s=limits.CALL_TIMEOUT_S,
            enough=lambda: self._view.knows(target.kind, target.name),
        )

    def _send(
        self, request: Request, outlet: Outlet, target: Target, route: Route, *, owner: str = ""
    ) -> None:
        """Hands a call to its server; `owner` names whose container it is for, where that was settled before."""
        door = self._house.door(route.server)
        if door is None:
            raise Unavailable(f"server {route.server} was removed")
        alone = door.server.pooling.isolation in {"session", "call"}
        call = Call(
            request.method,
            target.renamed(route.name),
            server=route.server,
            owner=owner or self._owner_of(door.server),
            client=self.id,
            timeout_s=door.server.pooling.timeout_s,
            profile=self._profile,
            # A server with several clients at a time could not be told whose sampling and roots it may use.
            greeting=self._profile if alone else NEUTRAL,
            progress_token=params.progress_token(target.fields),
            settled=partial(self._settled, request.id, outlet, route),
            relayed=partial(self._relayed, outlet),
        )
        self._calls[request.id] = call
        door.submit(call)

    def _owner_of(self, server: EnabledServer) -> str:
        """Whose container serves a call of this session."""
        match server.pooling.isolation:
            case "session":
                return self.owner
            case "principal":
                return f"principal:{self.principal.name}"
            case "call":
                self._numbered += 1
                return f"call:{self.id}:{self._numbered}"
            case "shared":
                return EVERYBODY

    def _settled(
        self, request_id: Id, outlet: Outlet, route: Route, call: Call, answer: Answer | None
    ) -> None:
        """A call has ended: one answer to the client, or none if it withdrew the call."""
        self._calls.pop(request_id, None)
        self.last_active = call.ended
        self._house.request_ended()
        if self._subscriptions.note(call, route, answer):
            self._house.remember(self)
        if call.tasked and answer is not None:
            answer = self._house.task_ids.answer(call, answer, self.principal)
        match answer:
            case None:
                outcome = "cancelled"
                outlet.finish(None)
            case Failure():
                outcome = answer.message
                failure = Failure(request_id, answer.code, answer.message, answer.data)
                outlet.finish(codec.encode(failure))
            case _:
                outcome = "ok"
                self._reply(request_id, outlet, self._spoken_in(call.method, answer))
        self._house.call_log.note(call, name=route.name, client=self.client_name, outcome=outcome)

    def _spoken_in(self, method: str, result: msgspec.Raw) -> msgspec.Raw:
        """A server's result in the client's revision: the oldest ones lack some kinds of content."""
        row = self._revision
        if row is None or (row.audio and row.structured_output):
            return result
        try:
            return params.pack(content.for_version(method, meta.result_fields(result), row))
        except GatewayError:
            return result

    def _relayed(self, outlet: Outlet, _call: Call, message: Message) -> None:
        """Passes a message that belongs to a call on to the stream of its request."""
        if self._wants(message):
            outlet.send(codec.encode(message), skippable=isinstance(message, Notification))

    def _later(
        self,
        request: Request,
        outlet: Outlet,
        act: Callable[[], None],
        *,
        within_s: float,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Acts once all lists, or `enough` of them, are known, or cannot be waited for any longer."""
        wait = _Wait(request.method)

        async def wait_and_act() -> None:
            is_over = False
            try:
                with wait.scope, trio.move_on_after(within_s):
                    await self._house.listings.wait_complete(within_s, enough=enough)
                # Also where it was ended in the very moment in which it was over.
                is_over = not wait.scope.cancel_called
            finally:
                del self._pending[request.id]
                self._house.request_ended()
                if wait.withdrawn:
                    outlet.finish(None)
                elif not is_over:
                    # All such waits end so where their actor crashes, or stops: whoever waits learns of it.
                    self._refuse(request.id, outlet, ActorGone(_ENDED))
            if not is_over:
                return
            try:
                act()
            except GatewayError as error:
                self._refuse(request.id, outlet, error)

        self._house.spawn(wait_and_act)
        self._pending[request.id] = wait

    def _reply(self, request_id: Id, outlet: Outlet, result: msgspec.Raw) -> None:
        """Sends a result."""
        outlet.finish(codec.encode(Result(request_id, result)))

    def _refuse(self, request_id: Id, outlet: Outlet, error: GatewayError) -> None:
        """Sends an error."""
        log.debug("request_refused", session=self.id[:6], reason=str(error))
        outlet.finish(codec.encode(codec.failure(error, request_id)))

    # --- notifications -----------------------------------------------------------------------------------------

    def _notification(self, notification: Notification) -> None:
        """Handles what needs no answer. Unknown and malformed ones are ignored, as the protocol asks."""
        if notification.method == "notifications/initialized":
            self._initialized = True
        elif notification.method == "notifications/roots/list_changed":
            for door in self._house.doors().values():
                door.inform(self.owner, notification)
        elif notification.method == "notifications/cancelled":
            try:
                request_id = params.request_id(params.fields(notification.params))
            except GatewayError as error:
                log.debug("bad_cancel", session=self.id[:6], reason=str(error))
                return
            self._cancel(request_id)

    def _cancel(self, request_id: Id) -> None:
        """The client no longer wants an answer."""
        if (call := self._calls.get(request_id)) is not None:
            call.withdraw("cancelled by the client")
        elif (pending := self._pending.get(request_id)) is not None:
            pending.withdrawn = True
            pending.scope.cancel()
        elif (cancel := self._stateless.pop(request_id, None)) is not None:
            cancel()

    def lists_changed(self) -> None:
        """Tells the client which lists are no longer as it was shown them, once each."""
        if self._initialized:
            for notice in self._view.news({wait.method for wait in self._pending.values()}):
                self._tell(Notification(notice))

    def override(self, server: str, lists: ServerLists | None) -> None:
        """This session's own container lists something else than everybody's; None: no longer."""
        if self._view.override(server, lists):
            self.lists_changed()

    def notified(self, notification: Notification) -> None:
        """Passes on a server's notification that belongs to no request."""
        if self._wants(notification):
            self._tell(notification)

    def subscribes(self, server: str, uri: str) -> bool:
        """Whether the client wants to know of changes of that resource."""
        return self._subscriptions.has(server, uri)

    def asked(self, request: ServerRequest) -> None:
        """Passes on a request of a server."""
        self._back_channel.ask(request)

    def _tell(self, message: Message) -> bool:
        """Sends a message that belongs to no request; False where there is no stream for it."""
        if not self._outlets:
            return False
        self._outlets[-1].send(codec.encode(message), skippable=isinstance(message, Notification))
        return True

    def _wants(self, message: Message) -> bool:
        """Whether the client wants a message: what its revision has; log lines only as severe as it asked for, if it did."""
        if not isinstance(message, Notification):
            return True
        version = self.protocol_version or versions.LATEST
        if not methods.may_pass(message.method, version=version, sender="server"):
            return False
        if message.method != "notifications/message":
            return True
        try:
            level = params.text(params.fields(message.params), "level")
        except GatewayError:
            return True
        return not self._profile.log_level or log_levels.passes(level, self._profile.log_level)


class _Wait:
    """A request that waits for unknown lists."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.scope = trio.CancelScope()
        """Ends the wait."""
        self.withdrawn = False
        """Its client wants no answer any more; otherwise it is owed one, however the wait ends."""


class _Stateless:
    """The outlet of one stateless request on a pipe: forgets the request once it is answered."""

    def __init__(self, outlet: Outlet, forget: Callable[[], object]) -> None:
        self._outlet = outlet
        self._forget = forget

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """A message before the answer."""
        self._outlet.send(frame, skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """The answer."""
        self._forget()
        self._outlet.finish(frame)


def _shown(value: Id) -> str:
    """What a client sent, in a message: it may be of any length."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
