"""A message pipe over a WebSocket: one message a text frame, under the rules of stdio, for all eras alike.

Must not know what a method means. The specification leaves this transport to implementations: this is what the SDKs' servers
speak, subprotocol `mcp`, and what this gateway serves at `/ws`. There is no resuming: when the connection ends, so does the pipe.

Source: MCP 2026-07-28, transports, "Custom Transports"; RFC 6455.
"""

from __future__ import annotations

import math

import trio

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import GatewayError, Malformed
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.messages import Message, Request
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.frames import Frames
from gateway.upstreams.inbox import Inbox
from gateway.upstreams.outbox import Outbox
from gateway.upstreams.websocket_wire import Socket, SocketWire


class WebSocketPipe:
    """Messages to and from one remote server; see `ports.MessagePipe`."""

    def __init__(
        self, launch: RemoteLaunch, *, server: str, credentials: Credentials | None = None
    ) -> None:
        self._server = server
        self._wire = SocketWire(launch, server=server, credentials=credentials)
        self._frames = Frames(server)
        self._inbox = Inbox()
        self._outbox = Outbox(server)
        # Set when the pipe is to be closed with a goodbye.
        self._leaving = trio.Event()
        # Ends `run` without one; `_ended` tells that it has.
        self._running = trio.CancelScope()
        self._ended: trio.Event | None = None

    def __repr__(self) -> str:
        """State and what waits, for logs and tests."""
        return f"<WebSocketPipe {self._server} at {self.name}: {self._inbox.ended or 'open'}, {self._outbox!r}>"

    @property
    def name(self) -> str:
        """The address, without what in it may be secret."""
        return self._wire.address

    def stderr_tail(self) -> str:
        """Nothing: a remote server's stderr stays there."""
        return ""

    def obituary(self) -> str:
        """Nothing: `receive` says all that is known."""
        return ""

    def send(self, message: Message, *, deadline: float = math.inf) -> None:  # noqa: ARG002 -- nothing is put off here
        """Queues a message for the writer; see `ports.MessagePipe`."""
        # Answers to a server that asks and asks, and never reads, leave room for calls, and memory for others.
        bound = limits.MAX_OUTBOUND_NOTES_BYTES
        if isinstance(message, Request):
            bound = limits.MAX_OUTBOUND_BYTES
        self._outbox.put(encode(message), bound_bytes=bound)

    async def receive(self) -> Message:
        """The server's next message; see `ports.MessagePipe`."""
        return await self._inbox.get()

    async def run(self) -> None:
        """Connects and moves messages until closed; see `ports.MessagePipe`."""
        self._ended = trio.Event()
        try:
            with self._running:
                await self._wire.converse(self._talk)
        except GatewayError as error:
            self._end(str(error))
        finally:
            self._end(f"the connection to {self._wire.who} was closed")
            self._ended.set()

    async def aclose(self) -> None:
        """Says goodbye and closes the connection; see `ports.MessagePipe`."""
        self._end(f"the connection to {self._wire.who} was closed")
        self._leaving.set()
        if self._ended is None:
            self._running.cancel()
            return
        with trio.move_on_after(limits.REMOTE_CLOSE_S, shield=True):
            await self._ended.wait()
        self._running.cancel()
        with trio.move_on_after(limits.REMOTE_CLOSE_S, shield=True):
            await self._ended.wait()

    async def kill(self) -> None:
        """Closes without a goodbye; the server is not ours to end. See `ports.MessagePipe`."""
        self._running.cancel()
        await self.aclose()

    async def _talk(self, socket: Socket) -> None:
        """Reads, writes and keeps alive until the pipe is closed.

        Raises:
            Gone: the connection has ended.
        """
        async with trio.open_nursery() as nursery:
            for work in (self._read, self._write, Socket.ping, Socket.watch):
                nursery.start_soon(work, socket)
            await self._leaving.wait()
            nursery.cancel_scope.cancel()
        await socket.say_goodbye()

    async def _read(self, socket: Socket) -> None:
        while True:
            frame = await socket.receive()
            if isinstance(frame, bytes):
                self._frames.report(frame, Malformed("messages are sent as text frames"))
                continue
            for message in self._frames.unpack(frame.encode()):
                await self._inbox.put(message)

    async def _write(self, socket: Socket) -> None:
        while True:
            await socket.send((await self._outbox.get()).decode())

    def _end(self, why: str) -> None:
        """Nothing more is sent or received. The first reason stands."""
        self._outbox.close(why)
        self._inbox.end(why)
