"""One event stream of a remote server: its messages, and where to take it up again. Must not know who reads it, or why.

Source: MCP 2025-11-25, transports, "Resumability and redelivery"; WHATWG HTML §9.2, server-sent events.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

import trio

from gateway import limits
from gateway.errors import TooLong
from gateway.jsonrpc.edges import Edges
from gateway.jsonrpc.messages import Message
from gateway.jsonrpc.sse import EventSplitter, ServerSentEvent
from gateway.telemetry.refusals import refused
from gateway.upstreams.frames import TOO_LONG, Frames
from gateway.upstreams.wire import Broken, Reply

_MS_PER_S = 1000


class Resumption:
    """Where a stream stands and how long to wait before it is opened again; outlives its connections."""

    def __init__(self) -> None:
        # The id of the newest event; "" while none had one: then the stream cannot be resumed.
        self.last_event_id = ""
        # Whether the server has ever opened the stream.
        self.connected = False
        # Failures since something was last heard.
        self.failures = 0
        # The pause the server asked for; None while it did not.
        self._retry_s: float | None = None

    def note(self, splitter: EventSplitter) -> None:
        """Remembers what the stream has said about resuming so far."""
        self.failures = 0
        self.last_event_id = splitter.last_event_id or self.last_event_id
        if splitter.retry_ms is not None:
            self._retry_s = splitter.retry_ms / _MS_PER_S

    async def pause(self, at_least_s: float = 0.0) -> None:
        """Waits before the next connection: as long as the server asked, longer with each failure."""
        base = limits.RECONNECT_S if self._retry_s is None else self._retry_s
        grown = base * 2.0 ** min(self.failures, limits.RESUME_ATTEMPTS)
        own = max(limits.RECONNECT_FLOOR_S, base, min(grown, limits.RECONNECT_CAP_S))
        await trio.sleep(max(own, at_least_s))


class EventStream:
    """Reads the events of one reply."""

    def __init__(self, reply: Reply, frames: Frames, resumption: Resumption) -> None:
        self._reply = reply
        self._frames = frames
        self._resumption = resumption
        self._splitter = EventSplitter(limits.MAX_FRAME_BYTES)
        # Read but not yet taken.
        self._events: deque[ServerSentEvent | TooLong] = deque()

    async def next_event(self) -> ServerSentEvent | None:
        """The next event, None at the end of the stream.

        Raises:
            Broken: the connection broke.
        """
        while isinstance(event := await self._next(), TooLong):
            pass
        return event

    async def next_messages(self) -> list[Message] | None:
        """The messages of the next event, often one, none for other events; None at the end of the stream.

        Raises:
            Broken: the connection broke.
        """
        event = await self._next()
        if event is None:
            return None
        if isinstance(event, TooLong):
            return self._frames.in_the_place_of(Edges(event.begin, b""), TOO_LONG)
        if event.event != "message" or not event.data:
            return []
        return self._frames.unpack(event.data)

    async def linger(self) -> None:
        """Reads on to the end for a moment, so that the connection can be used again. How it ends does not matter."""
        with trio.move_on_after(limits.STREAM_LINGER_S), suppress(Broken):
            while await self._reply.receive_some():
                pass

    async def _next(self) -> ServerSentEvent | TooLong | None:
        """The next event, or what is known of one that was skipped."""
        while not self._events:
            chunk = await self._reply.receive_some()
            if not chunk:
                return None
            self._take(chunk)
        return self._events.popleft()

    def _take(self, chunk: bytes) -> None:
        for event in self._splitter.feed(chunk):
            if isinstance(event, TooLong):
                refused("from_servers.MAX_FRAME_BYTES")
                self._frames.report(event.begin, event)
            self._events.append(event)
        self._resumption.note(self._splitter)
