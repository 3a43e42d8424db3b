"""What is asked of a Streamable HTTP server, and what comes back: one POST per message, streams that break and are resumed.

Must not know who sends the messages, nor how long the conversation lasts: each function is one exchange, and its errors are its
caller's to tell.

Source: MCP 2025-11-25, transports, "Streamable HTTP".
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import msgspec

from gateway import limits
from gateway.errors import GatewayError, ProtocolFault, UpstreamError
from gateway.jsonrpc.messages import Failure, Id, Message, Missed, Request
from gateway.mcp import discover
from gateway.telemetry.log import get_logger
from gateway.upstreams.events import EventStream, Resumption
from gateway.upstreams.frames import Frames
from gateway.upstreams.http_answers import (
    EVENT_STREAM,
    addressed,
    answers,
    read_error,
    read_messages,
)
from gateway.upstreams.http_session import HttpSession
from gateway.upstreams.refusals import Refused, SessionLost, other_era, refusal
from gateway.upstreams.wire import Broken, Reply, Wire

Deliver = Callable[[Message], Awaitable[None]]
"""Takes a message of the server, waiting until there is room for it."""

_log = get_logger("upstream")


class Conversation:
    """The exchanges with one server. Whatever the server says goes to `deliver`."""

    def __init__(self, wire: Wire, *, server: str, deliver: Deliver) -> None:
        self._wire = wire
        self._server = server
        self._deliver_on = deliver
        self._frames = Frames(server)
        self.session = HttpSession()

    async def call(self, request: Request, body: bytes, *, deadline: float = math.inf) -> None:
        """Posts a request and stays until its answer was delivered.

        Args:
            request: what is asked.
            body: the same, encoded.
            deadline: until when it may be put off by the server.

        Raises:
            SessionLost: the session is over.
            GatewayError: there is no answer, and none to come.
        """
        resumption = Resumption()
        if not await self._ask(request, body, resumption, deadline):
            await self._resume(request.id, resumption)

    async def tell(self, body: bytes) -> None:
        """Posts a message that has no answer.

        Raises:
            SessionLost: the session is over.
            GatewayError: it was not taken.
        """
        headers = self.session.post_headers()
        async with self._wire.exchange("POST", headers, content=body) as reply:
            if not reply.is_success:
                raise self._refusal(reply, await read_error(reply))

    async def listen(self) -> None:
        """Keeps the stream open on which the server speaks first. Returns where it offers none.

        Raises:
            SessionLost: the session is over.
        """
        resumption = Resumption()
        while True:
            resumption.failures += 1
            asked_s = None
            try:
                await self._open_stream(resumption)
            except UpstreamError as error:
                _log.debug("upstream_stream_broken", server=self._server, reason=str(error))
                if isinstance(error, SessionLost) and resumption.connected:
                    raise
                if not error.retryable:
                    if resumption.connected:
                        _log.warning(
                            "upstream_listening_ended", server=self._server, reason=str(error)
                        )
                    return
                asked_s = error.retry_after_s if isinstance(error, Refused) else None
            await resumption.pause(asked_s or 0.0)

    async def say_goodbye(self) -> None:
        """Ends the session on the server's side; one that cannot do that says 405, and that is that."""
        if not self.session or self.session.is_lost:
            return
        try:
            async with self._wire.exchange("DELETE", self.session.headers(), deadline=-math.inf):
                pass
        except GatewayError as error:
            _log.debug("upstream_goodbye_failed", server=self._server, reason=str(error))

    async def _ask(
        self, request: Request, body: bytes, resumption: Resumption, deadline: float
    ) -> bool:
        """Posts a request and passes on what the answer holds; False where its stream is to be taken up again.

        Raises:
            GatewayError: there is no answer, and none to come.
        """
        headers = self.session.post_headers()
        try:
            async with self._wire.exchange(
                "POST", headers, content=body, deadline=deadline
            ) as reply:
                if not reply.is_success:
                    await self._take_error(request, reply)
                    return True
                if self.session.is_opened_by(request):
                    self.session.note_headers(reply.headers)
                if reply.media_type == EVENT_STREAM:
                    return await self._relay(reply, resumption, until=request.id)
                await self._take_body(request, reply)
        except Broken:
            if not resumption.last_event_id:
                raise
            resumption.failures += 1
            return False
        return True

    async def _take_body(self, request: Request, reply: Reply) -> None:
        """Passes on the messages of an answer that is no stream.

        Raises:
            ProtocolFault: the request's answer is not among them.
        """
        for message in await read_messages(reply, self._frames, request, who=self._wire.who):
            await self._deliver(message)

    async def _take_error(self, request: Request, reply: Reply) -> None:
        """Passes on the JSON-RPC error in the body of an HTTP error.

        Raises:
            Refused, SessionLost: there is none for this request.
        """
        message = await read_error(reply)
        if message is not None and discover.is_modern_error(message):
            if not self.session.is_opened_by(request):
                raise other_era(self._wire.asked)
            # Whatever id it names: no session is lost, nor is this an older transport.
            message = msgspec.structs.replace(message, id=request.id)
        if message is None or message.id != request.id:
            raise self._refusal(reply, message)
        await self._deliver(message)

    async def _relay(
        self, reply: Reply, resumption: Resumption, *, until: Id | None = None
    ) -> bool:
        """Passes on a stream's messages up to the answer to `until`; False where the stream ends before it."""
        stream = EventStream(reply, self._frames, resumption)
        while (messages := await stream.next_messages()) is not None:
            messages = addressed(messages, until)
            for message in messages:
                await self._deliver(message)
            if any(answers(message, until) for message in messages):
                await stream.linger()
                return True
        return False

    async def _resume(self, request_id: Id, resumption: Resumption) -> None:
        """Takes up the broken stream of a request until its answer has come.

        Raises:
            Broken: it cannot be taken up, or not any more. The request was taken, whatever is said of the stream.
        """
        while resumption.last_event_id:
            await resumption.pause()
            try:
                if await self._open_stream(resumption, until=request_id):
                    return
            except UpstreamError as error:
                resumption.failures += 1
                if not error.retryable or resumption.failures > limits.RESUME_ATTEMPTS:
                    raise Broken(
                        f"{self._wire.who} closed the stream before its answer, and it cannot be taken up again: "
                        f"{error}; the outcome is unknown"
                    ) from error
        raise Broken(
            f"{self._wire.who} closed the stream before its answer: the outcome is unknown"
        )

    async def _open_stream(self, resumption: Resumption, *, until: Id | None = None) -> bool:
        """Opens a stream, anew or where it broke, and passes on its messages as `_relay` does."""
        headers = self.session.stream_headers(resumption.last_event_id)
        async with self._wire.exchange("GET", headers) as reply:
            if not reply.is_success:
                raise self._refusal(reply, None)
            if reply.media_type != EVENT_STREAM:
                raise ProtocolFault(f"{self._wire.who} offers no stream")
            if resumption.connected and until is None and not resumption.last_event_id:
                # Now that it is open: what comes from here on arrives.
                await self._deliver_on(Missed("missed"))
            resumption.connected = True
            return await self._relay(reply, resumption, until=until)

    async def _deliver(self, message: Message) -> None:
        self.session.note_received(message)
        await self._deliver_on(message)

    def _refusal(self, reply: Reply, body: Failure | None) -> Refused | SessionLost:
        said = "" if body is None else body.message
        return refusal(
            self._wire.asked, reply.status, reply.headers, said=said, in_session=bool(self.session)
        )
