"""Both ends of a stdio connection, as pipes or sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import msgspec
import trio

from gateway.transports.stdio import serve_stdio
from tests.fakes.sessions import FakeSession, FakeSessions


class StdioClient:
    """A client that started us: it writes our stdin and reads our stdout."""

    def __init__(self, *, sockets: bool = False) -> None:
        self.sessions = FakeSessions()
        self.spoken: bool | None = None
        if sockets:
            their_in, self._in = _socket_pair()
            self._out, their_out = _socket_pair()
        else:
            their_in, self._in = os.pipe()
            self._out, their_out = os.pipe()
        self.theirs = (their_in, their_out)
        self._buffer = b""

    @property
    def session(self) -> FakeSession:
        """The one session."""
        return self.sessions.all[0]

    async def serve(self) -> None:
        """The gateway's side, to its end."""
        stdin, stdout = self.theirs
        self.spoken = await serve_stdio(self.sessions, stdin_fd=stdin, stdout_fd=stdout)

    async def write(self, data: bytes) -> None:
        """Writes to our stdin."""
        await trio.to_thread.run_sync(partial(_write_all, self._in, data))

    async def send(self, message: object) -> None:
        """Writes one message."""
        await self.write(msgspec.json.encode(message) + b"\n")

    async def line(self) -> bytes:
        """The next line of our stdout, b"" at its end."""
        while b"\n" not in self._buffer:
            await trio.lowlevel.wait_readable(self._out)
            chunk = os.read(self._out, 65536)
            if not chunk:
                return b""
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    async def receive(self) -> dict[str, object]:
        """The next message."""
        return msgspec.json.decode(await self.line(), type=dict[str, object])

    def close_input(self) -> None:
        """The client is done."""
        os.close(self._in)
        self._in = -1

    def close_output(self) -> None:
        """The client no longer reads."""
        os.close(self._out)
        self._out = -1

    def close(self) -> None:
        """Closes whatever is left."""
        for descriptor in (self._in, self._out, *self.theirs):
            with suppress(OSError):
                if descriptor >= 0:
                    os.close(descriptor)


@contextmanager
def stdio_client(*, sockets: bool = False) -> Iterator[StdioClient]:
    """A client whose descriptors are closed at the end."""
    client = StdioClient(sockets=sockets)
    try:
        yield client
    finally:
        client.close()


def _socket_pair() -> tuple[int, int]:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
