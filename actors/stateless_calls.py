"""The calls of modern clients: where each leads, for whom its server works, what brings it back to its client.

A call may take several requests of its client, each with answers to what was asked in the one before. Must not know
transports, lists or subscriptions.

Source: MCP 2026-07-28, basic, patterns, "Multi Round-Trip Requests"; MCP 2025-11-25, basic, utilities, "Tasks".
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
from actors.modern_call import ModernCall, Round
from actors.server_request import ServerRequest
from actors.stateless_owners import client_at, expect_modern, is_bridged, numbered
from gateway import limits
from gateway.errors import (
    ActorGone,
    GatewayError,
    Overloaded,
    StateRefused,
    Unavailable,
)
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Request
from gateway.mcp import (
    input_required,
    meta,
    params,
    sealed,
    tasks,
)
from gateway.mcp.meta import ModernMeta
from gateway.mcp.params import Fields
from gateway.mcp.profile import profile_of, stranger
from gateway.mcp.sealed import Seal, StateClaims
from gateway.mcp.targets import TASKS, Target
from gateway.ports import Outlet, Principal, Route
from gateway.telemetry.refusals import refused

_CALL_ID_BYTES = 12
_STOPPING = ActorGone("the gateway is stopping")


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
        self._owners: dict[str, ModernCall] = {}
        """The same, by the owner under which a server works for them."""

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
        call = self._owners.get(owner)
        if call is None:
            return False
        call.asked(request)
        return True

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
        if (
            target.kind in TASKS
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
            UnknownTarget, Unavailable, StateRefused
        """
        route, owner = self._way(order)
        door = self._house.door(route.server)
        if door is None:
            raise Unavailable(f"server {route.server} was removed")
        profile = profile_of(
            order.said.capabilities, log_level=order.said.log_level or "", era="modern"
        )
        owner = owner or self._owner(door, modern, client_at(door, order.principal, profile))
        fields = self._fields(order, route, door)

        def settled(call: Call, answer: Answer | None) -> None:
            self._owners.pop(call.owner, None)
            if self._fetch_outcome(modern, call, answer):
                return
            if call.tasked and answer is not None:
                answer = self._house.task_ids.answer(call, answer, order.principal)
            self._house.call_log.note(
                call, name=route.name, client=order.said.client_name, outcome=_outcome(answer)
            )
            modern.settled(call, answer)

        modern.call = call = Call(
            order.method,
            fields,
            server=route.server,
            owner=owner,
            client=f"{order.principal.name}:{order.said.client_name}",
            timeout_s=door.server.pooling.timeout_s,
            profile=profile,
            greeting=stranger("modern") if owner == EVERYBODY else profile,
            progress_token=params.progress_token(fields),
            settled=settled,
            relayed=modern.relayed,
        )
        call.tasked = call.tasked or tasks.EXTENSION in order.said.extensions
        if owner != EVERYBODY and is_bridged(door):
            self._owners[owner] = modern
        door.submit(call)

    def _way(self, order: _Order) -> tuple[Route, str]:
        """Where a call leads, and whose container it needs, "" where any of its client's will do.

        Raises:
            UnknownTarget, StateRefused
        """
        target = order.target
        if target.kind not in TASKS:
            return self._view.route(target.kind, target.name), ""
        claims = self._house.task_ids.read(target.name, order.principal)
        return Route(claims.server, claims.task_id), claims.owner

    def _fields(self, order: _Order, route: Route, door: Door) -> Fields:
        """The params as the server gets them.

        Raises:
            StateRefused: they go on with a call that a server asked to be made again, and it is another one by now.
        """
        fields = meta.unstamp(order.target.renamed(route.name))
        if order.target.kind in TASKS:
            return fields
        fields = input_required.without_responses(fields)
        if door.spoken.modern or (order.inner is not None and door.spoken.modern is None):
            return input_required.with_responses(fields, order.responses, order.inner)
        if order.inner is not None:
            raise StateRefused(
                "The server is another one by now; send the request again without requestState."
            )
        if order.method == "tools/call" and self._needs_task(route):
            fields["task"] = codec.raw({})
        return fields

    def _needs_task(self, route: Route) -> bool:
        """Whether a legacy server's tool can be called as a task only."""
        lists = self._house.listings.lists_of(route.server)
        tools = lists.tools if lists is not None else ()
        return any(tool.key == route.name and tasks.is_required(tool.fields) for tool in tools)

    def _fetch_outcome(self, modern: ModernCall, call: Call, answer: Answer | None) -> bool:
        """Waits for a task that the gateway had made of a call; False where there is none to wait for.

        Modern clients know no such tasks: to them it is a call that takes its time.
        """
        if "task" not in call.fields or answer is None or isinstance(answer, Failure):
            return False
        made = tasks.seen(answer)
        door = self._house.door(call.server)
        if made is None or door is None:
            return False

        def settled(waiting: Call, outcome: Answer | None) -> None:
            self._owners.pop(waiting.owner, None)
            if outcome is None:
                cancel = Call(
                    "tasks/cancel",
                    {"taskId": codec.raw(made.task_id)},
                    server=call.server,
                    owner=call.owner,
                    timeout_s=limits.CALL_TIMEOUT_S,
                    settled=lambda _call, _answer: None,
                    relayed=lambda _call, _message: None,
                    profile=call.profile,
                    greeting=call.greeting,
                )
                door.submit(cancel)
            modern.settled(waiting, outcome)

        modern.call = Call(
            "tasks/result",
            {"taskId": codec.raw(made.task_id)},
            server=call.server,
            owner=call.owner,
            timeout_s=limits.TASK_CAP_S,
            profile=call.profile,
            greeting=call.greeting,
            settled=settled,
            relayed=modern.relayed,
        )
        if call.owner != EVERYBODY:
            self._owners[call.owner] = modern
        door.submit(modern.call)
        return True

    def _owner(self, door: Door, modern: ModernCall, client: str) -> str:
        """The owner for one call: this client. Where it must be alone there, the first of its that has none in flight."""
        if client == EVERYBODY:
            return client
        if door.server.pooling.isolation == "call":
            return f"{client}:{id(modern):x}"
        if not is_bridged(door):
            return client
        owners = (numbered(client, number) for number in count())
        return next(owner for owner in owners if owner not in self._owners)


def _outcome(answer: Answer | None) -> str:
    """How a call ended, for its line in the log."""
    if answer is None:
        return "cancelled"
    return answer.message if isinstance(answer, Failure) else "ok"
