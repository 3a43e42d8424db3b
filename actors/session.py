"""One client: its handshake, its requests, its cancels, and what it has seen of the lists.

Must not know transports (it answers at an `Outlet`) nor containers (it hands calls to a `Door`). `receive` returns at
once; only what waits for unknown lists becomes a task.
"""

from __future__ import annotations

import msgspec
import trio

from actors.acquaintance import Acquaintance
from actors.back_channel import BackChannel
from actors.client import Client
from actors.client_view import ClientView
from actors.house import House
from actors.server_request import ServerRequest
from actors.session_calls import SessionCalls
from actors.standing_streams import StandingStreams
from actors.stateless_on_pipe import StatelessOnPipe
from actors.subscriptions import Subscriptions
from actors.waits import ENDED, Waits
from gateway import limits
from gateway.errors import (
    ActorGone,
    GatewayError,
    Malformed,
    Overloaded,
    UnknownMethod,
    UnknownTarget,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request, Result
from gateway.mcp import meta, params
from gateway.mcp.listing import LIST_METHODS, ServerLists
from gateway.mcp.targets import TARGETS, Target, read_target
from gateway.ports import Outlet, Principal, Route
from gateway.quoting import quoted
from gateway.session_records import SessionRecord
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("session")


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
        self.last_active = trio.current_time()
        self.is_closed = False
        self._house = house
        self._client = Client()
        self._subscriptions = Subscriptions()
        self._view = ClientView(house.listings)
        self._calls = SessionCalls(
            self,
            self._client,
            self._subscriptions,
            house,
            is_harmless=self._view.is_harmless,
        )
        self._waits = Waits(house, self._refuse)
        self._stateless = StatelessOnPipe(self, transport=transport, house=house)
        self._streams = StandingStreams()
        self._initialized = False
        self._back_channel = BackChannel(self._streams.tell)
        self.acquaintance = Acquaintance(
            self,
            transport=transport,
            client=self._client,
            view=self._view,
            back_channel=self._back_channel,
            subscriptions=self._subscriptions,
            house=house,
        )
        self._owes_news = False
        """Its lists may be others than the client knows: it is told as soon as it listens."""

    def __repr__(self) -> str:
        """The client and how busy it is; the id is a secret, so only its beginning."""
        return f"<Session {self.id[:6]} {self.transport} {self.client_name!r} calls={len(self._calls.waiting)}>"

    @property
    def protocol_version(self) -> str | None:
        """The negotiated revision, None before `initialize` was answered."""
        return self._client.version

    @property
    def client_name(self) -> str:
        """What the client calls itself."""
        return self._client.name

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._calls.waiting or self._waits.waiting)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for nothing and nobody listens."""
        return not (self.is_busy or self._stateless.waiting or self._streams)

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
        self._streams.attach(outlet)
        if self._owes_news:
            self._owes_news = False
            self.lists_changed()

    def detach(self, outlet: Outlet) -> None:
        """Forgets an outlet."""
        self._streams.detach(outlet)
        self.last_active = trio.current_time()

    def close(self) -> None:
        """Ends the session: its calls are cancelled, its containers given up, its streams ended. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        self._waits.end()
        self._calls.end(Failure(None, -32000, ENDED))
        self._stateless.end()
        self._back_channel.close()
        for door in self._house.doors.values():
            door.release(self.owner)
        self._streams.end()
        self._house.closed(self.id)

    def resume(self, record: SessionRecord) -> None:
        """Goes on with a session of another gateway."""
        self._initialized = True
        self._owes_news = True
        self.acquaintance.resume(record, owner_of=self._calls.owner_at)

    # --- requests ----------------------------------------------------------------------------------------------

    def _request(self, request: Request, outlet: Outlet) -> None:
        """Answers, or sends on, one request.

        Raises:
            GatewayError: it is refused; nothing has been sent.
        """
        method, version = request.method, self._client.version
        calls, waits, stateless = self._calls.waiting, self._waits.waiting, self._stateless.waiting
        if request.id in calls or request.id in waits or request.id in stateless:
            raise Malformed(f"request id {quoted(request.id)} is in use by an earlier request")
        if len(calls) + len(waits) + len(stateless) >= limits.MAX_INFLIGHT_PER_SESSION:
            refused("from_clients.MAX_INFLIGHT_PER_SESSION")
            raise Overloaded(
                f"{limits.MAX_INFLIGHT_PER_SESSION} requests of this session wait for an answer already"
            )
        if version is None and meta.parse_meta(params.fields(request.params)):
            self._stateless.serve(request, outlet)
        elif method == "ping":
            self._reply(request.id, outlet, codec.raw({}))
        elif method == "initialize":
            self._reply(request.id, outlet, self.acquaintance.initialize(request.params))
        elif version is None:
            raise Malformed(f"{quoted(method)} came before initialize; send initialize first")
        elif method in TARGETS and method != "tasks/update":
            self._call(request, outlet, read_target(method, params.fields(request.params)))
        elif method in LIST_METHODS:
            self._list(request, outlet)
        elif method == "logging/setLevel":
            self.acquaintance.set_log_level(request.params)
            self._reply(request.id, outlet, codec.raw({}))
        else:
            raise UnknownMethod(f"method {quoted(method)} is not served")

    def _list(self, request: Request, outlet: Outlet) -> None:
        """Answers one page of a list, at once where all lists are known."""
        if self._view.complete(limits.UNCACHED_LIST_WAIT_S):
            self._reply(request.id, outlet, self._page(request))
        else:
            self._waits.add(
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
        if target.kind == "task":
            claims = self._house.task_ids.read(target.name, self.principal)
            route = Route(claims.server, claims.task_id)
            self._calls.send(request, outlet, target, route, owner=claims.owner)
            return
        try:
            route = self._view.route(target.kind, target.name)
        except UnknownTarget:
            if self._view.complete(limits.CALL_TIMEOUT_S):
                raise
            self._waits.add(
                request,
                outlet,
                lambda: self._calls.send(
                    request, outlet, target, self._view.route(target.kind, target.name)
                ),
                within_s=limits.CALL_TIMEOUT_S,
                enough=lambda: self._view.knows(target.kind, target.name),
            )
        else:
            self._calls.send(request, outlet, target, route)

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
            for door in self._house.doors.values():
                door.inform(self.owner, notification)
        elif notification.method == "notifications/cancelled":
            try:
                request_id = params.request_id(params.fields(notification.params))
            except GatewayError as error:
                log.debug("bad_cancel", session=self.id[:6], reason=str(error))
                return
            if not (self._calls.cancel(request_id) or self._waits.cancel(request_id)):
                self._stateless.cancel(request_id)

    def lists_changed(self) -> None:
        """Tells the client which lists are no longer as it was shown them, once each."""
        if self._initialized:
            for notice in self._view.news(self._waits.methods):
                self._streams.tell(Notification(notice))

    def override(self, server: str, lists: ServerLists | None) -> None:
        """This session's own container lists something else than everybody's; None: no longer."""
        if self._view.override(server, lists):
            self.lists_changed()

    def notified(self, notification: Notification) -> None:
        """Passes on a server's notification that belongs to no request."""
        if self._client.wants(notification):
            self._streams.tell(notification)

    def subscribes(self, server: str, uri: str) -> bool:
        """Whether the client wants to know of changes of that resource."""
        return self._subscriptions.has(server, uri)

    def asked(self, request: ServerRequest) -> None:
        """Passes on a request of a server."""
        self._back_channel.ask(request)
