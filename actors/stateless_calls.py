"""The calls of modern clients that are not finished, and what brings each back to its client.

A call may take several requests of its client, each with answers to what was asked in the one before. Must not know
transports, lists or subscriptions.

Source: MCP 2026-07-28, basic, patterns, "Multi Round-Trip Requests".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

import msgspec
import trio

from actors.client_view import ClientView
from actors.house import House
from actors.modern_call import ModernCall, Round
from actors.server_request import ServerRequest
from actors.stateless_owners import expect_modern
from actors.stateless_sending import Order, StatelessSending
from gateway import limits
from gateway.errors import (
    ActorGone,
    GatewayError,
    Overloaded,
    StateRefused,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Request
from gateway.mcp import (
    input_required,
    sealed,
)
from gateway.mcp.meta import ModernMeta
from gateway.mcp.sealed import Seal, StateClaims
from gateway.mcp.targets import Target
from gateway.ports import Outlet, Principal
from gateway.telemetry.refusals import refused

_CALL_ID_BYTES = 12
_STOPPING = ActorGone("the gateway is stopping")


class StatelessCalls:
    """The unfinished calls.

    Args:
        house: the surroundings.
        view: the lists as modern clients see them.
        server_info: the gateway's identity, as JSON.
        instance: names this gateway in the states that it gives out.
    """

    def __init__(
        self, house: House, *, view: ClientView, server_info: msgspec.Raw, instance: str
    ) -> None:
        self._house = house
        self._view = view
        self._server_info = server_info
        self._instance = instance
        self._seal = Seal(secrets.token_bytes(limits.STATE_KEY_BYTES))
        self._calls: dict[str, ModernCall] = {}
        """By call id."""
        self._sending = StatelessSending(house, view)

    def __repr__(self) -> str:
        """How many there are."""
        return f"<StatelessCalls {len(self)}>"

    def __len__(self) -> int:
        """The calls that are not finished."""
        return len(self._calls)

    @property
    def is_busy(self) -> bool:
        """Whether a client waits for an answer now."""
        return any(call.parked_at is None for call in self._calls.values())

    def asked(self, owner: str, request: ServerRequest) -> bool:
        """A server's request for one of these calls; False where it is for none."""
        return self._sending.asked(owner, request)

    def give_up_parked(self, before: float) -> None:
        """Ends the calls whose client has not come back since then."""
        for call in list(self._calls.values()):
            if call.parked_at is not None and call.parked_at < before:
                call.give_up("the client did not come back with its answers")

    def close(self) -> None:
        """Ends all of them."""
        for call in list(self._calls.values()):
            call.give_up(str(_STOPPING), answer=codec.failure(_STOPPING, None))

    def open(
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
            refused("from_clients.MAX_STATELESS_CALLS")
            raise Overloaded(f"{limits.MAX_STATELESS_CALLS} calls are open; try again later")
        order = Order(request.method, target, said, principal, digest, responses, inner)
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

    def _start(self, order: Order, opened: Round) -> Callable[[], None]:
        """Makes a call and sends it, as soon as it is known where it leads."""
        call_id = secrets.token_urlsafe(_CALL_ID_BYTES)
        target = order.target

        def submit() -> None:
            if call_id not in self._calls:
                return
            try:
                self._sending.send(call, order)
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
        if (
            target.kind == "task"
            or self._view.knows(target.kind, target.name)
            or self._view.complete(limits.CALL_TIMEOUT_S)
        ):
            submit()
        else:
            expect_modern(self._house)
            try:
                self._house.spawn(partial(self._submit_later, target, submit))
            except GatewayError as error:
                call.settle(codec.failure(error, None))
        return partial(call.left, opened)

    def _call_later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Calls back after a moment."""

        async def wait_and_act() -> None:
            await trio.sleep(delay_s)
            act()

        try:
            self._house.spawn(wait_and_act)
        except GatewayError:
            # What is put off for comfort must not be lost, nor cost the server that it came from.
            act()

    def _state(self, call_id: str, order: Order, inner: str | None = None) -> str:
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
