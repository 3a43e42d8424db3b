"""A container's stdin, stdout and stderr over the engine's attach stream. Must not know MCP, or how containers are made.

The stream is opened before the container is started, so that not a byte is missed.
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits, nonblocking
from gateway.runtimes.dial import dial
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_http import Refused, upgrade
from gateway.runtimes.stdcopy import BrokenStream, Demultiplexer


async def attach(endpoint: Endpoint, target: str) -> AttachStream:
    """Opens an attach stream; `target` is the path and query of the request.

    Raises:
        EngineUnreachable, Refused
    """
    stream = await dial(endpoint)
    attached = False
    try:
        with trio.fail_after(limits.CONNECT_TIMEOUT_S):
            first = await upgrade(stream, target)
        attached = True
        return AttachStream(stream, first)
    except trio.TooSlowError as error:
        raise Refused(0, "it does not answer the attach request") from error
    finally:
        if not attached:
            await trio.aclose_forcefully(stream)


class AttachStream:
    """`ContainerStream` over an attach stream, with stdout and stderr told apart."""

    kind: Final = "attach"

    def __init__(self, stream: trio.abc.Stream, first: bytes = b"") -> None:
        self._stream = stream
        # Where there is one, its descriptor is read and written past trio's stream: that is cheaper (`nonblocking`).
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) else None
        self._demultiplexer = Demultiplexer()
        # Bytes that came along with the answer to the upgrade.
        self._first = first
        self.ended = False

    @property
    def stdout_ended(self) -> bool:
        """See `ContainerStream`: the stream tells of one end, that of both."""
        return self.ended

    async def receive(self) -> tuple[bytes, bytes]:
        """The next bytes of stdout and of stderr. Sets `ended`, and closes, where there is nothing more to come."""
        try:
            chunk = self._first or await self._read()
            self._first = b""
            if chunk:
                return self._demultiplexer.feed(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except BrokenStream as error:
            await self.aclose()
            return b"", f"mcpgw: the engine's stream is broken ({error})\n".encode()
        # The engine keeps its reading side open: a writer would wait there for ever.
        await self.aclose()
        return b"", b""

    def receive_nowait(self) -> tuple[bytes, bytes]:
        """As `receive`, of what is there already; only where `descriptor` is one. Closing is left to `aclose`."""
        chunk = self._first or nonblocking.read_nowait(self.descriptor, limits.READ_CHUNK_BYTES)
        self._first = b""
        try:
            if chunk:
                return self._demultiplexer.feed(chunk)
        except BrokenStream:
            chunk = b""
        self.ended = self.ended or chunk == b""
        return b"", b""

    @property
    def descriptor(self) -> int:
        """What is readable when `receive_nowait` has something to give; -1 where there is none (TLS, ssh), or no longer."""
        return -1 if self._socket is None else self._socket.fileno()

    async def send_all(self, data: bytes | memoryview) -> None:
        """Writes to stdin.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError
        """
        await self._stream.send_all(data)

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Writes what goes without waiting; nothing through TLS and ssh.

        Raises:
            trio.BrokenResourceError
        """
        if self._socket is None:
            return 0
        return nonblocking.write_nowait(self._socket.fileno(), data)

    async def send_eof(self) -> bool:
        """Ends stdin.

        Returns:
            Whether stdout can still be read. Where there is no half-close (TLS), all is closed: `StdinOnce` ends stdin then.
        """
        if not isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self.aclose()
            return False
        try:
            await self._stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return not self.ended
        except trio.BusyResourceError:
            # A writer is stuck in a server that does not read: that server is not going to see an end either.
            await self.aclose()
            return False
        return True

    async def aclose(self) -> None:
        """Closes the stream at once."""
        self.ended = True
        await trio.aclose_forcefully(self._stream)

    async def _read(self) -> bytes:
        if self._socket is None:
            return bytes(await self._stream.receive_some(limits.READ_CHUNK_BYTES))
        return await nonblocking.read(self._socket.fileno(), limits.READ_CHUNK_BYTES)
