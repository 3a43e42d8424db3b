"""The calls of one session at servers: whose container serves each, and how its answer reaches the client.

Must not know transports, the handshake or the lists; it gets calls whose route is known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from actors.assignment import EVERYBODY
from actors.call import Answer, Call
from actors.client import Client
from actors.house import House
from actors.subscriptions import Subscriptions
from gateway.catalog.model import EnabledServer
from gateway.errors import Unavailable
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request, Result
from gateway.mcp import params
from gateway.mcp.profile import NEUTRAL
from gateway.mcp.targets import Target
from gateway.ports import ClientSession, Outlet, Route


class Caller(ClientSession, Protocol):
    """The session, as its calls see it."""

    last_active: float

    @property
    def owner(self) -> str:
        """The session as the owner of containers."""


class SessionCalls:
    """The calls that wait for their servers.

    Args:
        caller: whose they are.
        client: the client at its other end.
        subscriptions: told of calls that made some, or ended some.
        house: where the servers are.
        is_harmless: whether a request of that method may be executed twice there.
    """

    def __init__(
        self,
        caller: Caller,
        client: Client,
        subscriptions: Subscriptions,
        house: House,
        *,
        is_harmless: Callable[[str, Route], bool],
    ) -> None:
        self._caller = caller
        self._client = client
        self._subscriptions = subscriptions
        self._house = house
        self._is_harmless = is_harmless
        self.waiting: dict[Id, Call] = {}
        """The calls by the ids of the client."""
        self._numbered = 0

    def send(
        self, request: Request, outlet: Outlet, target: Target, route: Route, *, owner: str = ""
    ) -> None:
        """Hands a call to its server; `owner` names whose container it is for, where that was settled before.

        Raises:
            Unavailable: the server is there no longer.
            InvalidParams: the request's `_meta` is malformed.
        """
        door = self._house.doors.get(route.server)
        if door is None:
            raise Unavailable(f"server {route.server} was removed")
        server, profile = door.server, self._client.profile
        pooling = server.pooling
        alone = pooling.isolation in {"session", "call"}
        call = Call(
            request.method,
            target.renamed(route.name),
            server=route.server,
            owner=owner or self.owner_at(server),
            client=self._caller.id,
            timeout_s=pooling.timeout_s,
            profile=profile,
            # A server with several clients at a time could not be told whose sampling and roots it may use.
            greeting=profile if alone else NEUTRAL,
            progress_token=params.progress_token(target.fields),
            harmless=pooling.retry and self._is_harmless(request.method, route),
            settled=partial(self._settled, request.id, outlet, route),
            relayed=partial(self._relayed, outlet),
        )
        self.waiting[request.id] = call
        door.submit(call)

    def cancel(self, request_id: Id) -> bool:
        """The client no longer wants an answer; whether there was such a call."""
        call = self.waiting.get(request_id)
        if call is None:
            return False
        call.withdraw("cancelled by the client")
        return True

    def end(self, answer: Failure) -> None:
        """Ends all of them with that answer."""
        for call in list(self.waiting.values()):
            call.withdraw("session ended", answer=answer)

    def owner_at(self, server: EnabledServer) -> str:
        """Whose container serves the next call to that server."""
        match server.pooling.isolation:
            case "session":
                return self._caller.owner
            case "principal":
                return f"principal:{self._caller.principal.name}"
            case "call":
                self._numbered += 1
                return f"call:{self._caller.id}:{self._numbered}"
            case "shared":
                return EVERYBODY

    def _settled(
        self, request_id: Id, outlet: Outlet, route: Route, call: Call, answer: Answer | None
    ) -> None:
        """A call has ended: one answer to the client, or none if it withdrew the call."""
        house, caller = self._house, self._caller
        self.waiting.pop(request_id, None)
        caller.last_active = call.ended
        house.request_ended()
        if self._subscriptions.note(call, route, answer):
            house.remember(caller)
        if call.tasked and answer is not None:
            answer = house.task_ids.answer(call, answer, caller.principal)
        outlet.finish(self._frame(request_id, call, answer))
        house.call_log.note(call, answer, name=route.name, client=self._client.name)

    def _frame(self, request_id: Id, call: Call, answer: Answer | None) -> bytes | None:
        """The answer as the client gets it."""
        match answer:
            case None:
                return None
            case Failure():
                failure = Failure(request_id, answer.code, answer.message, answer.data)
                return codec.encode(failure)
            case _:
                return codec.encode(Result(request_id, self._client.read_by(call.method, answer)))

    def _relayed(self, outlet: Outlet, _call: Call, message: Message) -> None:
        """Passes a message that belongs to a call on to the stream of its request."""
        if self._client.wants(message):
            outlet.send(codec.encode(message), skippable=isinstance(message, Notification))
