"""The way from servers to one client: their requests, under ids of ours, and the client's answers.

Must not know transports or containers. A request travels on the stream of the call that it belongs to, where that is
known, else on the session's own stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from actors.server_request import OVERLOADED, ServerRequest
from gateway import limits
from gateway.errors import InvalidParams
from gateway.jsonrpc import codec
from gateway.jsonrpc.ids import IdMap
from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result
from gateway.mcp import params, questions, versions
from gateway.telemetry.refusals import refused


class BackChannel:
    """The open requests of servers to one client.

    Args:
        tell: sends a message on the session's own stream; False where there is none.
    """

    def __init__(self, tell: Callable[[Message], bool]) -> None:
        self.capabilities: Mapping[str, msgspec.Raw] = {}
        """What the client has declared."""
        self.version = versions.LATEST
        """The revision that was settled on with it."""
        self._tell = tell
        self._open: IdMap[ServerRequest] = IdMap()

    def __len__(self) -> int:
        """Requests that wait for the client."""
        return len(self._open)

    def ask(self, request: ServerRequest) -> None:
        """Sends a server's request to the client, or refuses it where the client cannot serve it."""
        if not self._serves(request):
            request.refuse(f"this client does not serve {request.method}")
            return
        if len(self._open) >= limits.MAX_SERVER_REQUESTS:
            refused("to_clients.MAX_SERVER_REQUESTS")
            request.refuse("too many requests wait for this client already", code=OVERLOADED)
            return
        number = self._open.add(request)
        request.retracted = partial(self._retract, number)
        message = Request(number, request.method, request.params)
        if request.call is not None and not request.call.is_settled:
            request.call.relay(message)
        elif not self._tell(message):
            self._open.pop(number, None)
            request.refuse("this client has no stream open that a request could travel on")

    def _serves(self, request: ServerRequest) -> bool:
        """Whether the client has declared that it can be asked that: forms and links are two things, for one."""
        try:
            question = questions.to_modern(request.method, request.params)
        except InvalidParams:
            return False
        if question is None:
            return False
        return not questions.missing(question, self.capabilities, version=self.version)

    def answered(self, message: Result | Failure) -> bool:
        """Takes an answer of the client; False where nothing waits for it."""
        request = self._open.pop(message.id, None)
        if request is None:
            return False
        if isinstance(message, Result):
            request.answer(message.result)
        else:
            request.answer(Failure(None, message.code, message.message, message.data))
        return True

    def close(self) -> None:
        """The client has left: nobody answers any more."""
        for request in self._open.drain():
            request.retracted = None
            request.refuse("the client has left", code=OVERLOADED)

    def _retract(self, number: int) -> None:
        """The server no longer wants an answer: the client is told."""
        request = self._open.pop(number, None)
        if request is None:
            return
        notice = Notification(
            "notifications/cancelled", params.pack({"requestId": codec.raw(number)})
        )
        if request.call is not None and not request.call.is_settled:
            request.call.relay(notice)
        else:
            self._tell(notice)
