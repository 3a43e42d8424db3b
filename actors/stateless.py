"""Requests of the modern era: each stands for itself, and says who asks. No session, but what a call parks.

Servers of the older era are shared among the calls of one principal, one call in each at a time: what such a server
asks of its client names no call. A modern server takes any number. Must not know transports: they hand requests in and get frames at an `Outlet`.

Source: MCP 2026-07-28, basic, "Requests"; server features, "Discovery"; patterns, "Multi Round-Trip Requests".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import trio

from actors.assignment import EVERYBODY
from actors.client_view import ClientView
from actors.house import House
from actors.listener import Listener, Watch
from actors.server_request import ServerRequest
from actors.stateless_calls import StatelessCalls
from actors.stateless_owners import expect_modern
from gateway import limits
from gateway.errors import (
    ActorGone,
    GatewayError,
    Overloaded,
    UnknownMethod,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Notification, Request, Result
from gateway.mcp import (
    discover,
    era,
    listen,
    meta,
    params,
)
from gateway.mcp.cache_hints import CacheHint
from gateway.mcp.listing import LIST_METHODS
from gateway.mcp.meta import ModernMeta
from gateway.mcp.params import Fields
from gateway.mcp.profile import profile_of
from gateway.mcp.targets import TARGETS, read_target
from gateway.ports import Outlet, Principal
from gateway.quoting import quoted
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("stateless")

"""Of what a client sent, in a message."""
_LEGACY_ONLY = frozenset({"resources/subscribe", "resources/unsubscribe", "tasks/result"})
"""Routed methods that the modern era lacks."""


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
        self._view = ClientView(house.listings, era="modern")
        self._calls = StatelessCalls(
            house, view=self._view, server_info=server_info, instance=instance
        )
        self._listeners: dict[Listener, None] = {}
        """In the order in which they came."""
        self._lists: dict[trio.CancelScope, bool] = {}
        """The waits of lists that need more than is known; whether their clients still want them."""

    def __repr__(self) -> str:
        """How much waits."""
        return f"<StatelessDesk calls={len(self._calls)} listeners={len(self._listeners)}>"

    @property
    def is_busy(self) -> bool:
        """Whether a client waits for an answer now."""
        return self._calls.is_busy or bool(self._lists)

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
        elif method in TARGETS and method not in _LEGACY_ONLY:
            return self._calls.open(request, said, read_target(method, fields), principal, outlet)
        elif method == listen.METHOD:
            return self._listen(request, said, fields, principal, outlet)
        else:
            raise UnknownMethod(f"method {quoted(method)} is not served")
        return _nothing

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
        if len(self._lists) >= limits.MAX_STATELESS_CALLS:
            refused("from_clients.MAX_STATELESS_CALLS")
            raise Overloaded(f"{limits.MAX_STATELESS_CALLS} lists are waited for; try again later")
        expect_modern(self._house)
        scope = trio.CancelScope()

        def cancel() -> None:
            if scope in self._lists and not scope.cancel_called:
                self._lists[scope] = False
                scope.cancel()

        self._house.spawn(partial(self._wait_and_reply, request, fields, outlet, scope))
        self._lists[scope] = True
        return cancel

    async def _wait_and_reply(
        self, request: Request, fields: Fields, outlet: Outlet, scope: trio.CancelScope
    ) -> None:
        """Answers one page of a list after a while, with what is known then."""
        is_over = False
        try:
            with scope, trio.move_on_after(limits.UNCACHED_LIST_WAIT_S):
                await self._house.listings.wait_complete(limits.UNCACHED_LIST_WAIT_S)
            # Also where it was ended in the very moment in which it was over.
            is_over = not scope.cancel_called
        finally:
            is_wanted = self._lists.pop(scope)
            self._house.request_ended()
            if not is_wanted:
                outlet.finish(None)
            elif not is_over:
                # All such waits end so where their actor crashes, or stops: whoever waits learns of it.
                error = ActorGone("the gateway is stopping")
                outlet.finish(codec.encode(codec.failure(error, request.id)))
        if is_over and is_wanted:
            self._answer_list(request, fields, outlet)

    def _answer_list(self, request: Request, fields: Fields, outlet: Outlet) -> None:
        """Answers one page of a list now."""
        try:
            page, hint = self._page(request.method, fields)
        except GatewayError as error:
            outlet.finish(codec.encode(codec.failure(error, request.id)))
        else:
            self._reply(request, outlet, page, hint)

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
            refused("from_clients.MAX_LISTENERS")
            raise Overloaded(f"{limits.MAX_LISTENERS} subscriptions are open; try again later")
        listener = Listener(
            request.id,
            listen.accepted(wanted),
            outlet=outlet,
            view=ClientView(self._house.listings, era="modern"),
            client=(principal, profile_of(said.capabilities, era="modern")),
            house=self._house,
            server_info=self._server_info,
        )
        self._listeners[listener] = None
        listener.open()

        def leave() -> None:
            if listener in self._listeners:
                del self._listeners[listener]
                listener.close(still_watched=self._is_watched)

        return leave

    def _is_watched(self, watch: Watch) -> bool:
        """Whether a listener follows that resource there."""
        return any(watch in listener.watches for listener in self._listeners)

    # --- the servers' side -------------------------------------------------------------------------------------

    def asked(self, owner: str, request: ServerRequest) -> bool:
        """A server's request for one of these calls; False where it is for none."""
        return self._calls.asked(owner, request)

    def notified(self, owner: str, notification: Notification) -> None:
        """A server's notification without a call: for the listeners of its client, or for all whom it concerns."""
        for listener in list(self._listeners):
            if owner == EVERYBODY or listener.watches_at(owner):
                listener.notified(notification)

    def lists_changed(self) -> None:
        """Tells the listeners what changed."""
        for listener in list(self._listeners):
            listener.lists_changed()

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Gives up parked calls whose client does not come back, until cancelled."""
        while True:
            await trio.sleep(limits.PARKED_SWEEP_S)
            self._calls.give_up_parked(trio.current_time() - limits.PARKED_S)

    def close(self) -> None:
        """Ends all calls and subscriptions."""
        self._calls.close()
        for scope in self._lists:
            scope.cancel()
        listeners, self._listeners = self._listeners, {}
        for listener in listeners:
            listener.close(still_watched=self._is_watched)


def _nothing() -> None:
    """Cancels what is over already."""
