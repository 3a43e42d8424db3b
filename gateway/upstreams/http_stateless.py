"""Requests to a modern server over Streamable HTTP: each is one POST that says everything, and one answer to it.

Must not know who asks. There are no sessions, no stream is taken up again, and to drop the connection is to cancel the
request. An answer that got lost is never asked for again: the request may have had effects.

Source: MCP 2026-07-28, transports, "Streamable HTTP".
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result
from gateway.mcp import discover, headers, listing
from gateway.telemetry.log import get_logger
from gateway.upstreams.events import EventStream, Resumption
from gateway.upstreams.frames import Frames
from gateway.upstreams.http_answers import (
    EVENT_STREAM,
    POST_HEADERS,
    addressed,
    answers,
    read_error,
    read_messages,
)
from gateway.upstreams.modern_requests import ModernRequest
from gateway.upstreams.param_book import ParamHeaderBook, ParamHeaders
from gateway.upstreams.refusals import other_era, refusal
from gateway.upstreams.tool_reading import ToolReading
from gateway.upstreams.wire import Broken, Reply, Wire

Deliver = Callable[[Message], Awaitable[None]]
"""Takes a message of the server, waiting until there is room for it."""

_CALL: Final = "tools/call"
_LIST: Final = listing.KINDS["tools"].method
_ON_THE_WAY: Final = {401, 403, 407, 429, 503}
"""Statuses whose own sentence helps more than an error that names no request: credentials, forbidden, too busy."""

_log = get_logger("upstream")


class _Sent(msgspec.Struct, frozen=True):
    """A request, its JSON text, what it says of itself, and until when its answer is of use."""

    request: Request
    body: bytes
    says: ModernRequest
    deadline: float = math.inf


class Stateless:
    """The exchanges with one server. Whatever it says goes to `deliver`, in the order in which it comes."""

    def __init__(self, wire: Wire, *, server: str, deliver: Deliver, book: ParamHeaderBook) -> None:
        self._wire = wire
        self._server = server
        self._deliver = deliver
        self._book = book
        self._tools = ToolReading(self._ask, book, server=server)
        self._frames = Frames(server)

    async def call(
        self, request: Request, body: bytes, says: ModernRequest, *, deadline: float = math.inf
    ) -> None:
        """Posts a modern request and stays until its answer was delivered.

        Args:
            request: what is asked.
            body: the same, encoded.
            says: what it says of itself.
            deadline: until when it may be put off by the server.

        Cancellation: the connection is dropped, which cancels the request on the server's side.

        Raises:
            GatewayError: there is no answer, and none to come.
        """
        sent = _Sent(request, body, says, deadline)
        mirrored = await self._mirrored(sent)
        refused = await self._post(sent, mirrored)
        if refused is None:
            return
        # Refused before it was executed, so that it may be sent again: once, and only if anything is different then.
        self._book.forget()
        again = await self._mirrored(sent)
        if again != mirrored:
            refused = await self._post(sent, again)
        if refused is not None:
            await self._deliver(refused)

    async def _ask(self, question: Request, says: ModernRequest) -> Result | Failure:
        """Posts a request of our own and returns its answer.

        Raises:
            GatewayError: there is none.
        """
        answer: list[Result | Failure] = []

        async def take(message: Message) -> None:
            if isinstance(message, Result | Failure):
                answer.append(message)

        await self._exchange(_Sent(question, codec.encode(question), says), (), take)
        return answer[0]

    async def _mirrored(self, sent: _Sent) -> ParamHeaders:
        """What a request repeats of its arguments."""
        tool = sent.says.tool
        if sent.request.method != _CALL or tool is None:
            return ()
        return await self._tools.headers_of(tool, asked_by=sent.says)

    async def _post(self, sent: _Sent, mirrored: ParamHeaders) -> Failure | None:
        """Posts a request and delivers what comes; a refusal of a call's headers is returned instead.

        Raises:
            GatewayError: there is no answer, and none to come.
        """
        refused: list[Failure] = []

        async def take(message: Message) -> None:
            match message:
                case Failure(code=discover.HEADER_MISMATCH) if sent.request.method == _CALL:
                    refused.append(message)
                    return
                case Result() if sent.request.method == _LIST:
                    self._tools.look_at(message.result)
                case _:
                    pass
            await self._deliver(message)

        await self._exchange(sent, mirrored, take)
        return refused[0] if refused else None

    async def _exchange(self, sent: _Sent, mirrored: ParamHeaders, take: Deliver) -> None:
        """One POST. `take` is given the notifications that belong to it and, last, the answer.

        Raises:
            GatewayError: there is no answer, and none to come.
        """
        says, request = sent.says, sent.request
        made = headers.make(request.method, says.members, version=says.version, mirrored=mirrored)
        async with self._wire.exchange(
            "POST", {**POST_HEADERS, **made}, content=sent.body, deadline=sent.deadline
        ) as reply:
            if not reply.is_success:
                await take(await self._error(request, reply))
            elif reply.media_type == EVENT_STREAM:
                await self._relay(request, reply, take)
            else:
                who = self._wire.who
                messages = await read_messages(reply, self._frames, request, who=who)
                await self._hand_over(request, messages, take)

    async def _relay(self, request: Request, reply: Reply, take: Deliver) -> None:
        """Hands over the messages of a stream up to the answer.

        Raises:
            Broken: there is none.
        """
        stream = EventStream(reply, self._frames, Resumption())
        while (messages := await stream.next_messages()) is not None:
            if await self._hand_over(request, addressed(messages, request.id), take):
                await stream.linger()
                return
        raise Broken(
            f"{self._wire.who} closed the stream before its answer: the outcome is unknown"
        )

    async def _hand_over(self, request: Request, messages: list[Message], take: Deliver) -> bool:
        """Hands over what belongs to a request, and tells whether its answer was among it.

        Servers ask nothing in the modern era: what they would be answered has no way back.
        """
        for message in messages:
            if answers(message, request.id):
                await take(message)
                return True
            if isinstance(message, Notification):
                await take(message)
            else:
                _log.debug("upstream_message_misplaced", server=self._server, method=request.method)
        return False

    async def _error(self, request: Request, reply: Reply) -> Failure:
        """The JSON-RPC error in the body of an HTTP error. Whatever id it has, it is meant for the one request there is.

        Raises:
            Refused: there is none, or the status says it better.
            SessionLost: nobody has read the request, for the server speaks the other era by now.
        """
        said = await read_error(reply)
        if _is_of_the_other_era(request, reply.status, said):
            raise other_era(self._wire.asked)
        if said is not None and (said.id == request.id or reply.status not in _ON_THE_WAY):
            return msgspec.structs.replace(said, id=request.id)
        text = "" if said is None else said.message
        raise refusal(self._wire.asked, reply.status, reply.headers, said=text, in_session=False)


def _is_of_the_other_era(request: Request, status: int, said: Failure | None) -> bool:
    """Whether a refusal is that of an older server (transports, "Streamable HTTP", "Backward Compatibility").

    A probe is told so itself. What was looked at would be refused under its own id.
    """
    if status != HTTPStatus.BAD_REQUEST or request.method == discover.METHOD or said is None:
        return False
    return said.id != request.id and not discover.is_modern_error(said)
