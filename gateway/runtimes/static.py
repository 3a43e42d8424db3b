"""Servers that somebody else started (`--static`): each listens for MCP lines on `mcp-<server>:4444`.

The port and the host name are those of Docker's gateway, whose compose files run on. Must not know MCP. Nothing is
started or stopped here: closing a link closes its connection, and the server behind it ends by itself.
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits, nonblocking
from gateway.errors import Gone, StartFailed
from gateway.ports import RunOutput, StartRequest

PORT: Final = 4444


class StaticRuntime:
    """Implements `Runtime` by connecting.

    Args:
        port: where the servers listen.
    """

    def __init__(self, *, port: int = PORT) -> None:
        self._port = port

    async def start(self, request: StartRequest) -> StaticLink:
        """Connects to a server.

        Raises:
            StartFailed: nobody listens there.
        """
        host = f"mcp-{request.server}"
        try:
            with trio.fail_after(limits.CONNECT_TIMEOUT_S):
                stream = await trio.open_tcp_stream(host, self._port)
        except (OSError, trio.TooSlowError) as error:
            raise StartFailed(
                f"server {request.server} does not answer on {host}:{self._port}; with --static it must be "
                "running already, under that host name"
            ) from error
        return StaticLink(stream, f"{host}:{self._port}")

    async def run(self, request: StartRequest) -> RunOutput:
        """Refuses: a container per call needs an engine.

        Raises:
            StartFailed: always.
        """
        await trio.lowlevel.checkpoint()
        raise StartFailed(
            f"the tools of {request.server} need an engine, which --static does without"
        )


class StaticLink:
    """A connection to a server that is not ours; implements `Link`."""

    kind: Final = "tcp"

    def __init__(self, stream: trio.SocketStream, name: str) -> None:
        self.name = name
        self._stream = stream

    def __repr__(self) -> str:
        """Where it leads."""
        return f"<StaticLink {self.name}>"

    async def send_all(self, frame: bytes | memoryview) -> None:
        """Writes to the server.

        Raises:
            Gone: the connection is broken.
        """
        try:
            await self._stream.send_all(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Gone(f"the connection to {self.name} broke") from error

    def send_nowait(self, frame: bytes | memoryview) -> int:
        """Writes what goes without waiting.

        Raises:
            Gone: the connection is broken.
        """
        try:
            return nonblocking.write_nowait(self._stream.socket.fileno(), frame)
        except trio.BrokenResourceError as error:
            raise Gone(f"the connection to {self.name} broke") from error

    async def receive_some(self) -> bytes:
        """The server's next bytes; b"" once the connection has ended."""
        try:
            descriptor = self._stream.socket.fileno()
            return await nonblocking.read(descriptor, limits.READ_CHUNK_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def learn_ending(self) -> None:
        """There is nothing to learn."""
        await trio.lowlevel.checkpoint()

    def stderr_tail(self) -> str:
        """Nothing: its stderr stays where it was started."""
        return ""

    def exit_status(self) -> int | None:
        """Not known from here."""
        return None

    async def aclose(self) -> None:
        """Closes the connection."""
        await trio.aclose_forcefully(self._stream)

    async def kill(self) -> None:
        """Closes the connection."""
        await trio.aclose_forcefully(self._stream)
