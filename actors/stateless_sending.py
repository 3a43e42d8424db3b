"""The way of a modern client's call to its server: which one, for whom that works, and what it is asked.

A task that a legacy server makes of a call is waited for here: to the client it is a call that takes its time. Must not
know what brings a call back to its client.

Source: MCP 2025-11-25, basic, utilities, "Tasks".
"""

from __future__ import annotations

from itertools import count

import msgspec

from actors.assignment import EVERYBODY
from actors.call import Answer, Call
from actors.client_view import ClientView
from actors.house import Door, House
from actors.modern_call import ModernCall
from actors.server_request import ServerRequest
from actors.stateless_owners import client_at, is_bridged, numbered
from gateway import limits
from gateway.errors import StateRefused, Unavailable
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure
from gateway.mcp import input_required, meta, params, tasks
from gateway.mcp.meta import ModernMeta
from gateway.mcp.params import Fields
from gateway.mcp.profile import profile_of, stranger
from gateway.mcp.targets import Target
from gateway.ports import Principal, Route


class Order(msgspec.Struct, frozen=True):
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


class StatelessSending:
    """Sends calls, and knows which server works for which of them.

    Args:
        house: the surroundings.
        view: the lists as modern clients see them.
    """

    def __init__(self, house: House, view: ClientView) -> None:
        self._house = house
        self._view = view
        self._owners: dict[str, ModernCall] = {}
        """The calls by the owner under which a server works for them."""

    def __len__(self) -> int:
        """The calls that a server may ask something for."""
        return len(self._owners)

    def asked(self, owner: str, request: ServerRequest) -> bool:
        """A server's request for one of these calls; False where it is for none."""
        call = self._owners.get(owner)
        if call is None:
            return False
        call.asked(request)
        return True

    def send(self, modern: ModernCall, order: Order) -> None:
        """Sends a call to its server.

        Raises:
            UnknownTarget, Unavailable, StateRefused
        """
        route, owner = self._way(order)
        door = self._house.doors.get(route.server)
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
            self._house.call_log.note(call, answer, name=route.name, client=order.said.client_name)
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
            harmless=door.server.pooling.retry and self._view.is_harmless(order.method, route),
            settled=settled,
            relayed=modern.relayed,
        )
        call.tasked = call.tasked or tasks.EXTENSION in order.said.extensions
        if owner != EVERYBODY and is_bridged(door):
            self._owners[owner] = modern
        door.submit(call)

    def _way(self, order: Order) -> tuple[Route, str]:
        """Where a call leads, and whose container it needs, "" where any of its client's will do.

        Raises:
            UnknownTarget, StateRefused
        """
        target = order.target
        if target.kind != "task":
            return self._view.route(target.kind, target.name), ""
        claims = self._house.task_ids.read(target.name, order.principal)
        return Route(claims.server, claims.task_id), claims.owner

    def _fields(self, order: Order, route: Route, door: Door) -> Fields:
        """The params as the server gets them.

        Raises:
            StateRefused: they go on with a call that a server asked to be made again, and it is another one by now.
        """
        fields = meta.unstamp(order.target.renamed(route.name))
        if order.target.kind == "task":
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
        door = self._house.doors.get(call.server)
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
