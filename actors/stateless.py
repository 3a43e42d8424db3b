"""Requests of the modern era: each stands for itself, and says who asks. No session, but what a call parks.

Servers of the older era are shared among the calls of one principal, one call in each at a time: what such a server
asks of its client names no call. A modern server takes any number. Must not know transports: they hand requests in and get frames at an `Outlet`.

Source: MCP 2026-07-28, basic, "Requests"; server features, "Discovery"; patterns, "Multi Round-Trip Requests".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from itertools import count

import msgspec
import trio

from actors.assignment import EVERYBODY
from actors.call import Answer, Call
from actors.client_view import ClientView
from actors.house import Door, House
from actors.listener import Listener
from actors.modern_call import ModernCall, Round
from actors.server_request import ServerRequest
from gateway import limits
from gateway.errors import (
    GatewayError,
    Overloaded,
    StateRefused,
    Unavailable,
    UnknownMethod,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Notification, Request, Result
from gateway.mcp import (
    discover,
    era,
    input_required,
    listen,
    meta,
    params,
    sealed,
)
from gateway.mcp.cache_hints import CacheHint
from gateway.mcp.listing import LIST_METHODS
from gateway.mcp.meta import ModernMeta
from gateway.mcp.params import Fields
from gateway.mcp.profile import profile_of, stranger
from gateway.mcp.sealed import Seal, StateClaims
from gateway.mcp.targets import TARGETS, Target, read_target
from gateway.ports import Outlet, Principal
from gateway.telemetry.log import get_logger

log = get_logger("stateless")

_CALL_ID_BYTES = 12
_SHOWN_CHARS = 100
"""Of what a client sent, in a message."""
_SUBSCRIBING = frozenset({"resources/subscribe", "resources/unsubscribe"})
"""Routed methods that the modern era lacks."""


class _Order(msgspec.Struct, frozen=True):
    """What a call asks for, the same in all of its rounds."""

    method: str
    target: Target
    said: ModernMeta
    principal: Principal
    digest: str
    responses: Fields
    """Answers to what a modern server asked in the result before."""
    inner: str | None
    """That server's own state."""


class StatelessDesk:
    """Serves modern requests.

    Args:
        house: the surroundings.
        server_info: the gateway's identity, as JSON.
        instance: names this gateway in the states that it gives out.
    """

    def __init__(self, house: House, *, server_info: msgspec.Raw, instance: str) -> None:
        self._house = house
        self._server_info = server_info
        self._instance = instance
        self._seal = Seal(secrets.token_bytes(limits.STATE_KEY_BYTES))
        self._view = ClientView(house.listings, era="modern")
        self._calls: dict[str, ModernCall] = {}
        """Unfinished calls, by call id."""
        self._owners: dict[str, ModernCall] = {}
        """The same, by the owner under which a server works for them."""
        self._listeners: dict[str, Listener] = {}

    def __repr__(self) -> str:
        """How much waits."""
        return f"<StatelessDesk calls={len(self._calls)} listeners={len(self._listeners)}>"

    @property
    def is_busy(self) -> bool:
        """Whether a client waits for an answer now."""
        return any(call.parked_at is None for call in self._calls.values())

    # --- the transports' side ----------------------------------------------------------------------------------

    def serve(
        self, request: Request, *, principal: Principal, outlet: Outlet
    ) -> Callable[[], None]:
        """Serves one request; its answer arrives at `outlet` exactly once.

        Returns:
            What cancels it: the client is gone, or no longer wants an answer.
        """
        try:
            return self._serve(request, principal, outlet)
        except GatewayError as error:
            outlet.finish(codec.encode(codec.failure(error, request.id)))
            return _nothing

    def _serve(self, request: Request, principal: Principal, outlet: Outlet) -> Callable[[], None]:
        """Answers, or sends on, one request.

        Raises:
            GatewayError: it is refused; nothing has been sent.
        """
        fields = params.fields(request.params)
        said = meta.read_meta(fields)
        meta.check_version(said)
        method = request.method
        if method == discover.METHOD:
            self._reply(request, outlet, self._discovered(), CacheHint())
        elif method in LIST_METHODS:
            return self._list(request, fields, outlet)
        elif method in TARGETS and method not in _SUBSCRIBING:
            return self._call(request, said, read_target(method, fields), principal, outlet)
        elif method == listen.METHOD:
            return self._listen(request, said, fields, principal, outlet)
        else:
            raise UnknownMethod(f"method {method[:_SHOWN_CHARS]} is not served")
        return _nothing

    def _expect(self) -> None:
        """Has servers whose lists are to be read greeted as modern ones: some fall at the sight of `initialize`."""
        for door in self._house.doors().values():
            door.expect(stranger("modern"))

    # --- discovery and lists -----------------------------------------------------------------------------------

    def _discovered(self) -> msgspec.Raw:
        """What the gateway says of itself."""
        directory = self._view.directory
        return discover.discover_result(
            capabilities=directory.modern_capabilities(),
            instructions=directory.instructions(),
        )

    def _list(self, request: Request, fields: Fields, outlet: Outlet) -> Callable[[], None]:
        """Answers one page of a list, waiting for unknown servers for a moment."""
        if self._view.complete(limits.UNCACHED_LIST_WAIT_S):
            self._reply(request, outlet, *self._page(request.method, fields))
            return _nothing
        self._expect()
        scope = trio.CancelScope()

        async def wait_and_reply() -> None:
            with scope, trio.move_on_after(limits.UNCACHED_LIST_WAIT_S):
                await self._house.listings.wait_complete(limits.UNCACHED_LIST_WAIT_S)
            if scope.cancelled_caught:
                outlet.finish(None)
                return
            try:
                page, hint = self._page(request.method, fields)
            except GatewayError as error:
                outlet.finish(codec.encode(codec.failure(error, request.id)))
            else:
                self._reply(request, outlet, page, hint)

        self._house.spawn(wait_and_reply)
        return scope.cancel

    def _page(self, method: str, fields: Fields) -> tuple[msgspec.Raw, CacheHint]:
        """One page, and for how long it may be kept."""
        kind = LIST_METHODS[method]
        cursor = params.text(fields, "cursor") if "cursor" in fields else None
        directory = self._view.directory
        return directory.page(kind, cursor), directory.hint(kind)

    def _reply(
        self, request: Request, outlet: Outlet, result: msgspec.Raw, hint: CacheHint
    ) -> None:
        """Sends a result of our own."""
        modern = era.result_to_modern(
            request.method, result, server_info=self._server_info, hint=hint
        )
        outlet.finish(codec.encode(Result(request.id, modern)))

    # --- calls -------------------------------------------------------------------------------------------------

    def _call(
        self,
        request: Request,
        said: ModernMeta,
        target: Target,
        principal: Principal,
        outlet: Outlet,
    ) -> Callable[[], None]:
        """Starts a call, or goes on with one that waits for answers."""
        opened = Round(request.id, outlet, said)
        responses, state = input_required.input_responses(target.fields)
        digest = sealed.digest_of(target.fields)
        inner = None
        if state is not None:
            claims = self._claims(state, request.method, digest, principal)
            if claims.inner is None:
                call = self._parked(claims)
                call.open_round(opened, responses)
                return partial(call.left, opened)
            inner = claims.inner
        if self._house.draining:
            raise Overloaded("the gateway is shutting down; connect again later")
        if len(self._calls) >= limits.MAX_STATELESS_CALLS:
            raise Overloaded(f"{limits.MAX_STATELESS_CALLS} calls are open; try again later")
        order = _Order(request.method, target, said, principal, digest, responses, inner)
        return self._start(order, opened)

    def _claims(self, state: str, method: str, digest: str, principal: Principal) -> StateClaims:
        """What a state says.

        Raises:
            StateRefused: it is none of ours, too old, or somebody else's.
        """
        return self._seal.open(
            state,
            principal=principal.name,
            method=method,
            digest=digest,
            now=trio.current_time(),
            instance=self._instance,
        )

    def _parked(self, claims: StateClaims) -> ModernCall:
        """The call that waits for its client's answers.

        Raises:
            StateRefused: it does no longer.
        """
        call = self._calls.get(claims.call_id)
        if call is None:
            raise StateRefused("This call has ended; send the request again without requestState.")
        return call

    def _start(self, order: _Order, opened: Round) -> Callable[[], None]:
        """Makes a call and sends it, as soon as it is known where it leads."""
        call_id = secrets.token_urlsafe(_CALL_ID_BYTES)
        target = order.target

        def submit() -> None:
            if call_id not in self._calls:
                return
            try:
                self._submit(call, order)
            except GatewayError as error:
                call.settle(codec.failure(error, None))

        def ended() -> None:
            self._calls.pop(call_id, None)
            self._house.request_ended()

        call = ModernCall(
            order.method,
            server_info=self._server_info,
            resubmit=submit,
            later=self._call_later,
            state=partial(self._state, call_id, order),
            ended=ended,
        )
        self._calls[call_id] = call
        call.open_round(opened, {})
        if self._view.knows(target.kind, target.name) or self._view.complete(limits.CALL_TIMEOUT_S):
            submit()
        else:
            self._expect()
            self._house.spawn(partial(self._submit_later, target, submit))
        return partial(call.left, opened)

    def _call_later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Calls back after a moment."""

        async def wait_and_act() -> None:
            await trio.sleep(delay_s)
            act()

        self._house.spawn(wait_and_act)

    def _state(self, call_id: str, order: _Order, inner: str | None = None) -> str:
        """The state that brings a client back to its call, or, with the server's own state, to its server."""
        return self._seal.seal(
            StateClaims(
                self._instance,
                "" if inner is not None else call_id,
                order.principal.name,
                order.method,
                order.digest,
                trio.current_time() + limits.PARKED_S,
                inner,
            )
        )

    async def _submit_later(self, target: Target, submit: Callable[[], None]) -> None:
        """Submits once the target's server was listed, or cannot be waited for."""
        with trio.move_on_after(limits.CALL_TIMEOUT_S):
            await self._house.listings.wait_complete(
                limits.CALL_TIMEOUT_S, enough=lambda: self._view.knows(target.kind, target.name)
            )
        submit()

    def _submit(self, modern: ModernCall, order: _Order) -> None:
        """Sends a call to its server.

        Raises:
            UnknownTarget, Unavailable
        """
        target = order.target
        route = self._view.route(target.kind, target.name)
        door = self._house.door(route.server)
        if door is None:
            raise Unavailable(f"server {route.server} was removed")
        profile = profile_of(
            order.said.capabilities, log_level=order.said.log_level or "", era="modern"
        )
        # Until it was asked, a server may be one of the older era, and what it asks of its client must find the way back.
        bridged = not door.spoken.modern
        if door.spoken.modern is False and order.inner is not None:
            raise StateRefused(
                "The server is another one by now; send the request again without requestState."
            )
        client = f"{order.principal.name}:{profile.key}" if bridged else order.principal.name
        owner = self._owner(door, modern, client, alone=bridged)
        fields = meta.unstamp(input_required.without_responses(target.renamed(route.name)))
        if not bridged or order.inner is not None:
            fields = input_required.with_responses(fields, order.responses, order.inner)

        def settled(call: Call, answer: Answer | None) -> None:
            self._owners.pop(call.owner, None)
            modern.settled(call, answer)

        modern.call = Call(
            order.method,
            fields,
            server=route.server,
            owner=owner,
            timeout_s=door.server.pooling.timeout_s,
            profile=profile,
            greeting=stranger("modern") if owner == EVERYBODY else profile,
            progress_token=params.progress_token(fields),
            settled=settled,
            relayed=modern.relayed,
        )
        if owner != EVERYBODY and bridged:
            self._owners[owner] = modern
        door.submit(modern.call)

    def _owner(self, door: Door, modern: ModernCall, client: str, *, alone: bool) -> str:
        """The owner for one call: this client. Where it must be `alone` there, the first of its that has none in flight."""
        isolation = door.server.pooling.isolation
        if isolation == "shared":
            return EVERYBODY
        base = f"stateless:{client}:{door.server.name}"
        if isolation == "call":
            return f"{base}:{id(modern):x}"
        if not alone:
            return base
        numbered = (f"{base}:{number}" for number in count())
        return next(owner for owner in numbered if owner not in self._owners)

    # --- listening ---------------------------------------------------------------------------------------------

    def _listen(
        self,
        request: Request,
        said: ModernMeta,
        fields: Fields,
        principal: Principal,
        outlet: Outlet,
    ) -> Callable[[], None]:
        """Opens a subscription, which lasts until the client leaves."""
        wanted = listen.parse_filter(fields)
        listen.check_filter(wanted, said.extensions)
        if len(self._listeners) >= limits.MAX_LISTENERS:
            raise Overloaded(f"{limits.MAX_LISTENERS} subscriptions are open; try again later")
        owner = f"listen:{principal.name}:{secrets.token_urlsafe(_CALL_ID_BYTES)}"
        listener = Listener(
            request.id,
            listen.accepted(wanted),
            outlet=outlet,
            view=ClientView(self._house.listings, era="modern"),
            owner=owner,
            house=self._house,
            server_info=self._server_info,
        )
        self._listeners[owner] = listener
        listener.open()

        def leave() -> None:
            if self._listeners.pop(owner, None) is not None:
                listener.close()

        return leave

    # --- the servers' side -------------------------------------------------------------------------------------

    def asked(self, owner: str, request: ServerRequest) -> bool:
        """A server's request for one of these calls; False where it is for none."""
        call = self._owners.get(owner)
        if call is None:
            return False
        call.asked(request)
        return True

    def notified(self, owner: str, notification: Notification) -> None:
        """A server's notification without a call: for the listener that owns it, or for all whom it concerns."""
        if (listener := self._listeners.get(owner)) is not None:
            listener.notified(notification)
        elif owner == EVERYBODY:
            for each in list(self._listeners.values()):
                each.notified(notification)

    def lists_changed(self) -> None:
        """Tells the listeners what changed."""
        for listener in list(self._listeners.values()):
            listener.lists_changed()

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Gives up parked calls whose client does not come back, until cancelled."""
        while True:
            await trio.sleep(limits.PARKED_SWEEP_S)
            before = trio.current_time() - limits.PARKED_S
            for call in list(self._calls.values()):
                if call.parked_at is not None and call.parked_at < before:
                    call.give_up("the client did not come back with its answers")

    def close(self) -> None:
        """Ends all calls and subscriptions."""
        for call in list(self._calls.values()):
            call.give_up("the gateway is stopping")
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.close()


def _nothing() -> None:
    """Cancels what is over already."""
