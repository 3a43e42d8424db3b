"""What one server asks of its client, until that has answered. Must not know how the client is reached."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.call import Answer, Call
from actors.server_request import METHOD_NOT_FOUND, ServerRequest
from gateway.errors import InvalidParams
from gateway.jsonrpc import codec
from gateway.jsonrpc.ids import IdMap
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request, Result
from gateway.mcp import params


class ServerQuestions:
    """The requests of one server that wait for its client.

    Args:
        server: its name.
        inflight: the calls that it is to answer.
        send: sends it a message.
        asked: told of each request.
    """

    def __init__(
        self,
        *,
        server: str,
        inflight: IdMap[Call],
        send: Callable[[Message], None],
        asked: Callable[[ServerRequest], None],
    ) -> None:
        self._server = server
        self._inflight = inflight
        self._send = send
        self._asked = asked
        self._open: dict[Id, ServerRequest] = {}
        """By the server's own ids."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._open)

    def end(self) -> None:
        """The server is gone, and needs no answers."""
        opened, self._open = self._open, {}
        for request in opened.values():
            request.retract()

    def take(self, request: Request, *, modern: bool) -> None:
        """Answers a ping of the server; anything else is asked of the client."""
        if request.method == "ping":
            self._send(Result(request.id, codec.raw({})))
            return
        if modern:
            # It asks within results; nobody would know what to make of this.
            self._send(Failure(request.id, METHOD_NOT_FOUND, f"{request.method} is not served"))
            return
        if request.id in self._open:
            self._send(Failure(request.id, -32600, f"id {request.id!r} is in use"))
            return
        # A request of a server names no call; with a single one in flight there is no doubt whose it is.
        call = next(iter(self._inflight.values())) if len(self._inflight) == 1 else None
        asked = ServerRequest(
            request.method,
            request.params,
            server=self._server,
            call=call,
            answered=partial(self._reply, request.id),
        )
        self._open[request.id] = asked
        for waiting in self._inflight.values():
            waiting.is_heard = True
            waiting.wait_for_client()
        self._asked(asked)

    def retract(self, notification: Notification) -> None:
        """The server no longer wants the answer to a request of its own."""
        try:
            request_id = params.request_id(params.fields(notification.params))
        except InvalidParams:
            return
        if (request := self._open.pop(request_id, None)) is not None:
            request.retract()

    def _reply(self, request_id: Id, answer: Answer) -> None:
        """Gives the server its client's answer."""
        self._open.pop(request_id, None)
        for waiting in self._inflight.values():
            waiting.extend()
        if isinstance(answer, Failure):
            self._send(Failure(request_id, answer.code, answer.message, answer.data))
        else:
            self._send(Result(request_id, answer))
