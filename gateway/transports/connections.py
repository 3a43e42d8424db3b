"""Accepted connections: bounded in number, each with a bound on how long its client may not read. Must not know HTTP.

The HTTP server writes inside a shield, so that a client that stopped reading would hold it, and our exit, for good. Here
a write of which nothing is taken for `limits.SEND_STALL_S` breaks the connection, and `abort` ends all at once.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from contextlib import suppress
from typing import Final

import trio

from gateway import limits
from gateway.telemetry.refusals import refused
from gateway.transports.inflow import Inflow, Switchboard

_INT: Final = struct.Struct("i")
_USER_TIMEOUT_MS: Final = int(limits.SEND_STALL_S * 1000)


class ConnectionPool:
    """The open connections of all listeners of one server.

    Args:
        max_connections: how many there may be.
        switchboard: what reads for them all, run by its owner; without one each waits by itself.
    """

    def __init__(
        self,
        max_connections: int = limits.MAX_CONNECTIONS,
        *,
        switchboard: Switchboard | None = None,
    ) -> None:
        self.switchboard = switchboard
        self._slots = trio.Semaphore(max_connections)
        self._open: set[ClientStream] = set()
        self._changed = trio.Event()

    def __repr__(self) -> str:
        """How many there are."""
        return f"<ConnectionPool {len(self._open)} open>"

    async def accept(self, listener: trio.SocketListener) -> ClientStream:
        """The next connection, once there is a slot for it.

        Cancellation: neither a connection nor a slot is lost.
        """
        # A turn of the loop may be long, and each new client waits for the turns of those before it.
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            refused("from_clients.MAX_CONNECTIONS")
            await self._slots.acquire()
        accepted: ClientStream | None = None
        try:
            accepted = ClientStream(await listener.accept(), self)
            self._open.add(accepted)
        finally:
            if accepted is None:
                self._slots.release()
        return accepted

    def discard(self, stream: ClientStream) -> None:
        """Frees the slot of a closed connection. Idempotent."""
        if stream in self._open:
            self._open.remove(stream)
            self._slots.release()
            self._changed.set()

    async def wait_empty(self) -> None:
        """Until no connection is open."""
        while self._open:
            self._changed = trio.Event()
            await self._changed.wait()

    async def wait_taken(self) -> None:
        """Until the clients' machines have taken all that was sent.

        No event tells of that, so it is looked for. A container's network ends with its last process, and what the
        kernel holds is lost with it.
        """
        while any(stream.untaken_bytes for stream in self._open):  # noqa: ASYNC110 -- see above
            await trio.sleep(limits.UNTAKEN_POLL_S)

    def abort(self) -> None:
        """Closes every connection as it is. Whoever reads or writes one sees it closed."""
        for stream in tuple(self._open):
            stream.abort()


class BoundedListener(trio.abc.Listener["ClientStream"]):
    """Accepts into a pool."""

    def __init__(self, listener: trio.SocketListener, pool: ConnectionPool) -> None:
        self._listener = listener
        self._pool = pool

    async def accept(self) -> ClientStream:
        """The next connection, once the pool has a slot."""
        return await self._pool.accept(self._listener)

    async def aclose(self) -> None:
        """Stops listening; accepted connections stay."""
        await self._listener.aclose()


class ClientStream(trio.abc.HalfCloseableStream):
    """One connection. Like a `trio.SocketStream`, but a stalled write breaks it."""

    def __init__(self, stream: trio.SocketStream, pool: ConnectionPool) -> None:
        self.socket = stream.socket
        """Where the HTTP server looks up the addresses of both ends."""
        self.inflow: Inflow | None = None
        """What reads, where one task does that for all connections."""
        if pool.switchboard is not None:
            self.inflow = Inflow(pool.switchboard, stream.socket.fileno())
        self._stream = stream
        self._pool = pool

    @property
    def untaken_bytes(self) -> int:
        """How much of what was sent the client's machine has not confirmed; 0 where the system does not tell. Not once closed."""
        try:
            told = fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, bytes(_INT.size))
        except OSError:
            return 0
        return int(_INT.unpack(told)[0])

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Writes all of `data`.

        Raises:
            trio.BrokenResourceError: the client is gone, or took nothing for `limits.SEND_STALL_S`.
            trio.ClosedResourceError: the connection was closed here.
        """
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                sent += await self._send_some(view[sent:])

    def send_nowait(self, data: bytes) -> int:
        """Writes as much of `data` as the kernel takes at once, perhaps nothing; says how much. Not beside `send_all`.

        Raises:
            OSError: the connection is broken or closed.
        """
        try:
            return os.write(self.socket.fileno(), data)
        except BlockingIOError:
            return 0

    async def wait_send_all_might_not_block(self) -> None:
        """Until the client has taken some of what was sent."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The next bytes, b"" at the end.

        Waits before it reads: a client that has been answered has not sent anything yet, and a vain try costs as much as
        the reading itself.

        Raises:
            trio.BrokenResourceError: the connection is broken.
            trio.ClosedResourceError: it was closed here.
        """
        if self.inflow is not None:
            return await self.inflow.receive(max_bytes or limits.READ_CHUNK_BYTES)
        while True:
            if self.socket.fileno() < 0:
                raise trio.ClosedResourceError("this connection was closed here")
            await trio.lowlevel.wait_readable(self.socket)
            try:
                return os.read(self.socket.fileno(), max_bytes or limits.READ_CHUNK_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError(f"the client is gone: {error}") from error

    async def send_eof(self) -> None:
        """Ends our direction."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Closes the connection and frees its slot."""
        self._pool.discard(self)
        if self.inflow is not None:
            self.inflow.close()
        await self._stream.aclose()

    def abort(self) -> None:
        """Closes the connection now, dropping what the client has not taken."""
        self._pool.discard(self)
        if self.inflow is not None:
            self.inflow.close()
        self.socket.close()

    async def _send_some(self, view: memoryview) -> int:
        with trio.move_on_after(limits.SEND_STALL_S):
            try:
                return await self.socket.send(view)
            except OSError as error:
                if self.socket.fileno() < 0:
                    raise trio.ClosedResourceError("this connection was closed here") from error
                raise trio.BrokenResourceError(f"the client is gone: {error}") from error
        refused("to_clients.SEND_STALL_S")
        self.abort()
        raise trio.BrokenResourceError(f"the client read nothing for {limits.SEND_STALL_S:g} s")


def watch_peers(listening: socket.socket) -> None:
    """Has the kernel give up peers that vanish without a word. Accepted connections inherit it.

    A client that lost its network takes keep-alive comments into the send buffer for hours otherwise. Linux only; other
    systems fall back on their own, longer limits.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        with suppress(OSError):
            listening.setsockopt(socket.IPPROTO_TCP, option, _USER_TIMEOUT_MS)
