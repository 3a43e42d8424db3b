"""A message pipe over Streamable HTTP, as a client, revisions 2025-03-26 to 2025-11-25.

Must not know what a method means: `http_session` looks at `initialize`, and after `notifications/initialized` the server
may speak first. Each request is a POST of its own whose answer, and whatever comes before it, goes to the one inbox. A request always gets an
answer there, a failure where HTTP fails, unless it was cancelled or the whole pipe has ended.

Source: MCP 2025-11-25, transports, "Streamable HTTP".
"""

from __future__ import annotations

from typing import Final

import msgspec
import trio

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import GatewayError, Malformed, ProtocolFault, Unavailable
from gateway.jsonrpc.codec import decode, failure
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request
from gateway.telemetry.log import get_logger
from gateway.upstreams.events import EventStream, Resumption
from gateway.upstreams.frames import Frames
from gateway.upstreams.http_session import EVENT_STREAM, JSON, HttpSession, answers
from gateway.upstreams.inbox import Inbox
from gateway.upstreams.posts import INITIALIZED, Posts
from gateway.upstreams.refusals import Refused, SessionLost, refusal
from gateway.upstreams.wire import Broken, Reply, Wire

_MAY_BE_OLDER: Final = {400, 404, 405}
"""Answers to `initialize` of a server that may speak HTTP+SSE (MCP 2025-11-25, "Backwards compatibility")."""

_log = get_logger("upstream")


class HttpPipe:
    """Messages to and from one remote server; see `ports.MessagePipe`."""

    def __init__(self, launch: RemoteLaunch, *, server: str) -> None:
        self._server = server
        self._wire = Wire(launch, server=server)
        self._frames = Frames(server)
        self._session = HttpSession()
        self._inbox = Inbox()
        self._posts = Posts(self._post, who=self._wire.who)
        # Ends `run`; `_ended` tells that it has, for the goodbye comes after it.
        self._running = trio.CancelScope()
        self._ended: trio.Event | None = None
        self._closed = False
        self.declined: Request | None = None
        """The `initialize` that the server declined in a way that leaves HTTP+SSE to be tried."""
        # Around the leave-taking of `aclose`; `kill` cancels it.
        self._closing = trio.CancelScope(shield=True)

    def __repr__(self) -> str:
        """State and what waits, for logs and tests."""
        state = self._inbox.ended or ("in session" if self._session else "open")
        return f"<HttpPipe {self._server} at {self.name}: {state}, {self._posts!r}>"

    @property
    def name(self) -> str:
        """The address, without what in it may be secret."""
        return self._wire.asked.address

    def stderr_tail(self) -> str:
        """Nothing: a remote server's stderr stays there."""
        return ""

    def send(self, message: Message) -> None:
        """Posts a message; see `ports.MessagePipe`."""
        self._session.note_sent(message)
        self._posts.send(message)

    async def receive(self) -> Message:
        """The server's next message; see `ports.MessagePipe`."""
        return await self._inbox.get()

    async def run(self) -> None:
        """Posts, listens and resumes until closed; see `ports.MessagePipe`."""
        self._ended = trio.Event()
        try:
            with self._running:
                await self._wire.open()
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    self._posts.start(nursery)
                    await trio.sleep_forever()
        except Unavailable as error:
            self._end(str(error))
        finally:
            self._end(f"the connection to {self._wire.who} was closed")
            self._ended.set()

    async def kill(self) -> None:
        """Has `aclose` take its leave at once; the server is not ours to end. See `ports.MessagePipe`."""
        self._closing.cancel()
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Ends the session with the server and closes all connections; see `ports.MessagePipe`."""
        if self._closed:
            return
        self._closed = True
        self._end(f"the connection to {self._wire.who} was closed")
        self._closing.deadline = trio.current_time() + limits.REMOTE_CLOSE_S
        with self._closing:
            if self._ended is not None:
                await self._ended.wait()
            await self._say_goodbye()
        await self._wire.aclose()

    async def _post(self, message: Message, body: bytes) -> None:
        if isinstance(message, Request):
            await self._call(message, body)
        else:
            await self._tell(message, body)

    async def _call(self, request: Request, body: bytes) -> None:
        """Posts a request; its answer, or the failure to get one, is in the inbox afterwards."""
        resumption = Resumption()
        try:
            if not await self._ask(request, body, resumption):
                await self._resume(request.id, resumption)
        except SessionLost as error:
            self._end(str(error))
        except GatewayError as error:
            if self._is_declined(request, error):
                self.declined = request
                self._end(str(error))
            else:
                await self._deliver(failure(error, request.id))

    async def _ask(self, request: Request, body: bytes, resumption: Resumption) -> bool:
        """Posts a request and passes on what the answer holds; False where its stream is to be taken up again.

        Raises:
            GatewayError: there is no answer, and none to come.
        """
        headers = self._session.post_headers()
        try:
            async with self._wire.exchange("POST", headers, content=body) as reply:
                if not reply.is_success:
                    await self._take_error(request, reply)
                    return True
                if self._session.is_opened_by(request):
                    self._session.note_headers(reply.headers)
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
        if reply.media_type != JSON:
            raise ProtocolFault(
                f"{self._wire.who} answered with {reply.media_type or 'nothing'} instead of {JSON}: "
                "check the url of its entry"
            )
        messages = self._frames.unpack(await reply.read(limits.MAX_FRAME_BYTES))
        messages = [_addressed(message, request.id) for message in messages]
        if not any(answers(message, request.id) for message in messages):
            raise ProtocolFault(
                f"{self._wire.who} sent something else than an answer to {request.method}"
            )
        for message in messages:
            await self._deliver(message)

    async def _take_error(self, request: Request, reply: Reply) -> None:
        """Passes on the JSON-RPC error in the body of an HTTP error.

        Raises:
            Refused, SessionLost: there is none for this request.
        """
        message = await _error_in(reply)
        if message is None or message.id != request.id:
            raise self._refusal(reply, message)
        await self._deliver(message)

    async def _tell(self, message: Message, body: bytes) -> None:
        """Posts a message that has no answer. Failures are logged: nobody waits."""
        headers = self._session.post_headers()
        try:
            async with self._wire.exchange("POST", headers, content=body) as reply:
                if not reply.is_success:
                    raise self._refusal(reply, await _error_in(reply))
        except SessionLost as error:
            self._end(str(error))
        except GatewayError as error:
            _log.warning("upstream_message_lost", server=self._server, reason=str(error))
        else:
            if isinstance(message, Notification) and message.method == INITIALIZED:
                self._nursery.start_soon(self._listen)

    async def _relay(
        self, reply: Reply, resumption: Resumption, *, until: Id | None = None
    ) -> bool:
        """Passes on a stream's messages up to the answer to `until`; False where the stream ends before it."""
        stream = EventStream(reply, self._frames, resumption)
        while (messages := await stream.next_messages()) is not None:
            for message in messages:
                await self._deliver(message)
            if any(answers(message, until) for message in messages):
                await stream.linger()
                return True
        return False

    async def _resume(self, request_id: Id, resumption: Resumption) -> None:
        """Takes up the broken stream of a request until its answer has come.

        Raises:
            GatewayError: it cannot be taken up, or not any more.
        """
        while resumption.last_event_id:
            await resumption.pause()
            try:
                if await self._open_stream(resumption, until=request_id):
                    return
            except (Broken, Refused, Unavailable) as error:
                resumption.failures += 1
                if not error.retryable or resumption.failures > limits.RESUME_ATTEMPTS:
                    raise
        raise Broken(
            f"{self._wire.who} closed the stream before its answer: the outcome is unknown"
        )

    async def _listen(self) -> None:
        """Keeps the stream open on which the server speaks first, where it offers one."""
        resumption = Resumption()
        while True:
            resumption.failures += 1
            try:
                await self._open_stream(resumption)
            except (Broken, Unavailable, Refused, SessionLost, ProtocolFault) as error:
                _log.debug("upstream_stream_broken", server=self._server, reason=str(error))
                if isinstance(error, SessionLost) and resumption.connected:
                    self._end(str(error))
                if not error.retryable:
                    return
            await resumption.pause()

    async def _open_stream(self, resumption: Resumption, *, until: Id | None = None) -> bool:
        """Opens a stream, anew or where it broke, and passes on its messages as `_relay` does."""
        headers = self._session.stream_headers(resumption.last_event_id)
        async with self._wire.exchange("GET", headers) as reply:
            if not reply.is_success:
                raise self._refusal(reply, None)
            if reply.media_type != EVENT_STREAM:
                raise ProtocolFault(f"{self._wire.who} offers no stream")
            resumption.connected = True
            return await self._relay(reply, resumption, until=until)

    async def _deliver(self, message: Message) -> None:
        self._session.note_received(message)
        await self._inbox.put(message)

    def _refusal(self, reply: Reply, body: Failure | None) -> Refused | SessionLost:
        said = "" if body is None else body.message
        return refusal(
            self._wire.asked, reply.status, reply.headers, said=said, in_session=bool(self._session)
        )

    def _is_declined(self, request: Request, error: GatewayError) -> bool:
        is_refusal = isinstance(error, Refused) and error.status in _MAY_BE_OLDER
        return is_refusal and self._session.is_opened_by(request)

    def _end(self, why: str) -> None:
        """Nothing more is sent, received or tried. The first reason stands."""
        self._posts.close(why)
        self._inbox.end(why)
        self._running.cancel()

    async def _say_goodbye(self) -> None:
        """Ends the session on the server's side; one that cannot do that says 405, and that is that."""
        if not self._session:
            return
        try:
            async with self._wire.exchange("DELETE", self._session.headers()):
                pass
        except GatewayError as error:
            _log.debug("upstream_goodbye_failed", server=self._server, reason=str(error))


def _addressed(message: Message, request_id: Id) -> Message:
    """The message, where it is an error for nobody, addressed to the one request it can be meant for."""
    if isinstance(message, Failure) and message.id is None:
        return msgspec.structs.replace(message, id=request_id)
    return message


async def _error_in(reply: Reply) -> Failure | None:
    """The JSON-RPC error in the body of an HTTP error, None where there is none."""
    if reply.media_type != JSON:
        return None
    try:
        message = decode(await reply.read(limits.MAX_ERROR_BODY_BYTES))
    except (Broken, ProtocolFault, Malformed):
        return None
    return message if isinstance(message, Failure) else None
