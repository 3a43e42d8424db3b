"""A message pipe over HTTP+SSE, the transport of revision 2024-11-05, as a client. Must not know what a method means.

One GET stream carries everything the server says; its first event names the address that messages are posted to. There is no
resuming: when the stream ends, so does the pipe.

Source: MCP 2024-11-05, transports, "HTTP with SSE".
"""

from __future__ import annotations

import math
from typing import Final

import trio

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import GatewayError, Gone, ProtocolFault, UpstreamError
from gateway.jsonrpc.codec import failure
from gateway.jsonrpc.messages import Failure, Message, OutcomeUnknown, Request, Untaken
from gateway.telemetry.log import get_logger
from gateway.upstreams.addresses import within
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.events import EventStream, Resumption
from gateway.upstreams.frames import Frames
from gateway.upstreams.http_answers import EVENT_STREAM, JSON
from gateway.upstreams.inbox import Inbox
from gateway.upstreams.posts import Posts
from gateway.upstreams.refusals import SessionLost, refusal
from gateway.upstreams.wire import Reply, Wire

_POST_HEADERS: Final = {"content-type": JSON}
_STREAM_HEADERS: Final = {"accept": EVENT_STREAM, "cache-control": "no-store"}

_log = get_logger("upstream")


class SsePipe:
    """Messages to and from one remote server; see `ports.MessagePipe`."""

    def __init__(
        self, launch: RemoteLaunch, *, server: str, credentials: Credentials | None = None
    ) -> None:
        self._server = server
        self._wire = Wire(launch, server=server, credentials=credentials)
        self._frames = Frames(server)
        self._inbox = Inbox()
        self._posts = Posts(self._post, who=self._wire.who)
        # Where messages are posted to; "" until the server has said so.
        self._endpoint = ""
        # Ends `run`; `_ended` tells that it has.
        self._running = trio.CancelScope()
        self._ended: trio.Event | None = None
        self._closed = False
        # Bounds how long `aclose` waits for `run`; `kill` cuts it short.
        self._leaving = trio.CancelScope(shield=True)

    def __repr__(self) -> str:
        """State and what waits, for logs and tests."""
        state = self._inbox.ended or ("open" if self._endpoint else "connecting")
        return f"<SsePipe {self._server} at {self.name}: {state}, {self._posts!r}>"

    @property
    def name(self) -> str:
        """The address, without what in it may be secret."""
        return self._wire.asked.address

    def stderr_tail(self) -> str:
        """Nothing: a remote server's stderr stays there."""
        return ""

    def obituary(self) -> str:
        """Nothing: `receive` says all that is known."""
        return ""

    def send(self, message: Message, *, deadline: float = math.inf) -> None:
        """Posts a message, as soon as it is known where to; see `ports.MessagePipe`."""
        self._posts.send(message, deadline=deadline)

    async def receive(self) -> Message:
        """The server's next message; see `ports.MessagePipe`."""
        return await self._inbox.get()

    async def run(self) -> None:
        """Reads the stream until it ends or the pipe is closed; see `ports.MessagePipe`."""
        self._ended = trio.Event()
        try:
            with self._running:
                await self._wire.open()
                async with self._wire.exchange("GET", _STREAM_HEADERS) as reply:
                    await self._converse(reply)
        except GatewayError as error:
            self._end(str(error))
        finally:
            self._end(f"the connection to {self._wire.who} was closed")
            self._ended.set()

    async def aclose(self) -> None:
        """Drops the stream and all connections; see `ports.MessagePipe`."""
        if not self._closed:
            self._closed = True
            self._end(f"the connection to {self._wire.who} was closed")
            self._leaving.deadline = trio.current_time() + limits.REMOTE_CLOSE_S
            with self._leaving:
                if self._ended is not None:
                    await self._ended.wait()
        await self._wire.aclose()

    async def kill(self) -> None:
        """Closes without patience; see `ports.MessagePipe`."""
        self._leaving.cancel()
        await self.aclose()

    async def _converse(self, reply: Reply) -> None:
        """Learns the endpoint, then posts what is sent and passes on what comes.

        Raises:
            GatewayError: this is no such stream.
        """
        if not reply.is_success:
            raise refusal(self._wire.asked, reply.status, reply.headers, in_session=False)
        if reply.media_type != EVENT_STREAM:
            raise ProtocolFault(
                f"{self._wire.who} offers no event stream: check the url of its entry"
            )
        stream = EventStream(reply, self._frames, Resumption())
        self._endpoint = await self._learn_endpoint(stream, reply.url)
        async with trio.open_nursery() as nursery:
            how = f"the connection to {self._wire.who} was closed"
            try:
                self._posts.start(nursery)
                how = await self._relay(stream)
            finally:
                # Before the nursery takes no more tasks.
                self._end(how)

    async def _learn_endpoint(self, stream: EventStream, base: str) -> str:
        """The address in the first `endpoint` event.

        Raises:
            Gone: the stream ended before it.
            ProtocolFault: it is of another origin, where our headers have no business.
        """
        while (event := await stream.next_event()) is not None:
            if event.event == "endpoint":
                address = within(base, event.data.decode("utf-8", "replace").strip())
                if address is None:
                    raise ProtocolFault(
                        f"{self._wire.who} wants messages at another origin: refused"
                    )
                return address
        raise Gone(f"{self._wire.who} closed the stream before it named its endpoint")

    async def _relay(self, stream: EventStream) -> str:
        """Passes on the stream's messages until it ends; returns how it ended."""
        try:
            while (messages := await stream.next_messages()) is not None:
                for message in messages:
                    await self._inbox.put(message)
        except Gone as error:
            return str(error)
        return f"{self._wire.who} has closed the connection"

    async def _post(self, message: Message, body: bytes, deadline: float) -> None:
        """Posts one message; a request that cannot be delivered fails, whatever else is logged."""
        try:
            async with self._wire.exchange(
                "POST", _POST_HEADERS, content=body, url=self._endpoint, deadline=deadline
            ) as reply:
                if not reply.is_success:
                    raise refusal(self._wire.asked, reply.status, reply.headers, in_session=True)
        except SessionLost as error:
            await self._lose_session(error, message)
        except GatewayError as error:
            if isinstance(message, Request):
                await self._inbox.put(_failure(error, message))
            else:
                _log.warning("upstream_message_lost", server=self._server, reason=str(error))

    async def _lose_session(self, error: SessionLost, refused: Message) -> None:
        """Sends nothing more, tells what was never taken, and lets what is in flight be answered on the stream."""
        self._posts.close(str(error))
        number = refused.id if isinstance(refused, Request) else None
        await self._inbox.put(Untaken(number, error.code, str(error)))

    def _end(self, why: str) -> None:
        """Nothing more is sent or received. The first reason stands."""
        self._posts.close(why)
        self._inbox.end(why)
        self._running.cancel()


def _failure(error: GatewayError, request: Request) -> Failure:
    """What becomes of a request that was not taken, or may have been."""
    if isinstance(error, UpstreamError) and error.outcome_unknown:
        return OutcomeUnknown(request.id, error.code, str(error))
    return failure(error, request.id)
