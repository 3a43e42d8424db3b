"""What is on its way to one client. Must not know HTTP.

Whoever has something to send does so at once and from any task: what the kernel takes is written there and then, which
costs no task switch. Only the rest, or all of it under TLS, waits for a task of its own, which a client that does not
read ends with `limits.SEND_STALL_S`.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import trio

from gateway.transports.connections import ClientStream

Stream = ClientStream | trio.SSLStream[ClientStream]


class Outflow:
    """The sending direction of one connection.

    Args:
        stream: the connection; closed by its owner.
        nursery: where what cannot be sent at once waits.
        gone: called when the client is; perhaps more than once.
    """

    def __init__(
        self, stream: Stream, nursery: trio.Nursery, *, gone: Callable[[], object]
    ) -> None:
        self.broken = False
        """Whether the client is gone: nothing more is sent."""
        self._stream = stream
        self._plain = stream if isinstance(stream, ClientStream) else None
        self._nursery = nursery
        self._gone = gone
        self._waiting: deque[bytes | memoryview] = deque()
        self._ending = False
        self._waiters = trio.lowlevel.ParkingLot()
        """Those who wait for something to have gone out; they look again whenever something has."""

    def __repr__(self) -> str:
        """Its state, and what waits."""
        state = "broken" if self.broken else "ending" if self._ending else "open"
        return f"<Outflow {state}, {sum(map(len, self._waiting))} bytes wait>"

    @property
    def is_clear(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def write(self, data: bytes) -> None:
        """Sends, after what was given before. Never blocks, never raises: what a client does not take is dropped with it."""
        rest: bytes | memoryview = data
        if self.broken or self._ending:
            return
        if self._plain is not None and not self._waiting:
            try:
                sent = self._plain.send_nowait(data)
            except OSError:
                self._break()
                return
            if sent == len(data):
                return
            rest = memoryview(data)[sent:]
        self._waiting.append(rest)
        if len(self._waiting) == 1:
            self._nursery.start_soon(self._drain)

    async def send(self, data: bytes) -> None:
        """Sends, and waits while the client does not read. Returns also when it is gone."""
        self.write(data)
        if self._waiting:
            await self.drained()

    async def drained(self) -> None:
        """Until nothing waits, or the client is gone."""
        while self._waiting and not self.broken:
            await self._waiters.park()

    async def ended(self) -> None:
        """Until nothing more will be sent: `end` was called and nothing waits, or the client is gone."""
        while not self.broken and (self._waiting or not self._ending):
            await self._waiters.park()

    def end(self) -> None:
        """Ends this direction after what waits. Idempotent."""
        if not self._ending:
            self._ending = True
            if not self._waiting:
                self._close()
                self._waiters.unpark_all()

    def cut(self) -> None:
        """Sends nothing more, and drops what waits."""
        self.broken = True
        self._waiting.clear()
        self._waiters.unpark_all()
        self._gone()

    async def _drain(self) -> None:
        """Sends what waits."""
        try:
            while self._waiting:
                await self._stream.send_all(self._waiting[0])
                self._waiting.popleft()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._break()
            return
        if self._ending:
            self._close()
        self._waiters.unpark_all()

    def _close(self) -> None:
        """Says that nothing more comes. TLS has no half-closed connections: there both directions end."""
        if self._plain is None:
            self._nursery.start_soon(self._stream.aclose)
            return
        with suppress(OSError):
            self._plain.socket.shutdown(socket.SHUT_WR)

    def _break(self) -> None:
        self.cut()
        stream = self._stream
        (stream if isinstance(stream, ClientStream) else stream.transport_stream).abort()
