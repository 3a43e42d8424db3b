"""A message pipe over Streamable HTTP, as a client, revisions 2025-03-26 to 2026-07-28.

The era is decided for each request, by what it carries: a modern one is an exchange of its own, all else belongs to the
conversation that `initialize` opens. Must not know what a method means, save that the server may speak first after
`notifications/initialized`. A request always gets an answer in the inbox, a failure where HTTP fails, unless it was cancelled
or the whole pipe has ended. A session that the server no longer knows ends the pipe as soon as nothing is in flight any more.

Source: MCP 2025-11-25 and 2026-07-28, transports, "Streamable HTTP".
"""

from __future__ import annotations

import math
from typing import Final

import trio

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import GatewayError, Unavailable, UpstreamError
from gateway.jsonrpc.codec import failure
from gateway.jsonrpc.messages import Id, Message, OutcomeUnknown, Request, Untaken
from gateway.telemetry.log import get_logger
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.http_conversation import Conversation
from gateway.upstreams.http_stateless import Stateless
from gateway.upstreams.inbox import Inbox
from gateway.upstreams.modern_requests import is_modern, read_modern
from gateway.upstreams.param_book import ParamHeaderBook
from gateway.upstreams.posts import Posts, is_initialized
from gateway.upstreams.refusals import Refused, SessionLost
from gateway.upstreams.wire import Wire

_MAY_BE_OLDER: Final = {400, 404, 405}
"""Answers to `initialize` of a server that may speak HTTP+SSE (MCP 2025-11-25, "Backwards compatibility")."""

_log = get_logger("upstream")


class HttpPipe:
    """Messages to and from one remote server; see `ports.MessagePipe`.

    Args:
        launch: where it is.
        server: its name, for texts and logs.
        book: what is known of its tools, shared by all pipes to it.
        credentials: the entry's headers, shared likewise.
    """

    def __init__(
        self,
        launch: RemoteLaunch,
        *,
        server: str,
        book: ParamHeaderBook | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._server = server
        self._wire = Wire(launch, server=server, credentials=credentials)
        self._inbox = Inbox()
        put = self._inbox.put
        self._conversation = Conversation(self._wire, server=server, deliver=put)
        book = ParamHeaderBook() if book is None else book
        self._stateless = Stateless(self._wire, server=server, deliver=put, book=book)
        self._posts = Posts(self._post, who=self._wire.who)
        # Where POSTs and the listening stream run; None unless `run` does.
        self._nursery: trio.Nursery | None = None
        # Ends `run`; `_ended` tells that it has, for the goodbye comes after it.
        self._running = trio.CancelScope()
        self._ended: trio.Event | None = None
        self._closed = False
        # Bounds the goodbye; `kill` cuts it short.
        self._leaving = trio.CancelScope(shield=True)
        self.declined: Request | None = None
        """The `initialize` that the server declined in a way that leaves HTTP+SSE to be tried."""

    def __repr__(self) -> str:
        """State and what waits, for logs and tests."""
        state = self._inbox.ended or ("in session" if self._conversation.session else "open")
        return f"<HttpPipe {self._server} at {self.name}: {state}, {self._posts!r}>"

    @property
    def name(self) -> str:
        """The address, without what in it may be secret."""
        return self._wire.asked.address

    @property
    def _farewell(self) -> str:
        return f"the connection to {self._wire.who} was closed"

    def stderr_tail(self) -> str:
        """Nothing: a remote server's stderr stays there."""
        return ""

    def obituary(self) -> str:
        """Nothing: `receive` says all that is known."""
        return ""

    def send(self, message: Message, *, deadline: float = math.inf) -> None:
        """Posts a message; see `ports.MessagePipe`."""
        modern = is_modern(message)
        if not modern:
            self._conversation.session.note_sent(message)
        self._posts.send(message, stateless=modern, deadline=deadline)

    async def receive(self) -> Message:
        """The server's next message; see `ports.MessagePipe`."""
        return await self._inbox.get()

    async def run(self) -> None:
        """Posts, listens and resumes until closed; see `ports.MessagePipe`."""
        self._ended = trio.Event()
        try:
            with self._running:
                await self._wire.open()
                async with trio.open_nursery() as self._nursery:
                    try:
                        self._posts.start(self._nursery)
                        await self._posts.drained.wait()
                    finally:
                        # Before the nursery takes no more tasks.
                        self._end(self._posts.why or self._farewell)
        except Unavailable as error:
            self._end(str(error))
        finally:
            self._end(self._farewell)
            self._ended.set()

    async def aclose(self) -> None:
        """Ends the session with the server and closes all connections; see `ports.MessagePipe`."""
        if not self._closed:
            self._closed = True
            self._end(self._farewell)
            self._leaving.deadline = trio.current_time() + limits.REMOTE_CLOSE_S
            with self._leaving:
                if self._ended is not None:
                    await self._ended.wait()
                await self._conversation.say_goodbye()
        await self._wire.aclose()

    async def kill(self) -> None:
        """Closes without a goodbye; the server is not ours to end. See `ports.MessagePipe`."""
        self._leaving.cancel()
        await self.aclose()

    async def _post(self, message: Message, body: bytes, deadline: float) -> None:
        """Posts one message and sees to what becomes of it."""
        try:
            if not isinstance(message, Request):
                await self._conversation.tell(body)
            elif (says := read_modern(message)) is not None:
                await self._stateless.call(message, body, says, deadline=deadline)
            else:
                await self._conversation.call(message, body, deadline=deadline)
        except SessionLost as error:
            await self._lose_session(error, message)
        except GatewayError as error:
            await self._fail(message, error)
        else:
            if is_initialized(message) and self._nursery is not None:
                self._nursery.start_soon(self._listen)

    async def _fail(self, message: Message, error: GatewayError) -> None:
        """A request gets the error as its answer; of other messages nobody waits for one."""
        if not isinstance(message, Request):
            _log.warning("upstream_message_lost", server=self._server, reason=str(error))
        elif self._is_declined(message, error):
            self.declined = message
            self._end(str(error))
        elif isinstance(error, UpstreamError) and error.outcome_unknown:
            await self._inbox.put(OutcomeUnknown(message.id, error.code, str(error)))
        else:
            await self._inbox.put(failure(error, message.id))

    async def _lose_session(self, error: SessionLost, refused: Message | None = None) -> None:
        """Sends nothing more, tells what was never taken, and lets what is in flight end by itself."""
        self._conversation.session.is_lost = True
        untaken: list[Id | None] = [*self._posts.close(str(error))]
        untaken.append(refused.id if isinstance(refused, Request) else None)
        for number in untaken:
            await self._inbox.put(Untaken(number, error.code, str(error)))

    async def _listen(self) -> None:
        try:
            await self._conversation.listen()
        except SessionLost as error:
            await self._lose_session(error)

    def _is_declined(self, request: Request, error: GatewayError) -> bool:
        is_refusal = isinstance(error, Refused) and error.status in _MAY_BE_OLDER
        return is_refusal and self._conversation.session.is_opened_by(request)

    def _end(self, why: str) -> None:
        """Nothing more is sent, received or tried. The first reason stands."""
        self._posts.close(why)
        self._inbox.end(why)
        self._running.cancel()
