"""The stdio transport: one client, one message a line, stdin to stdout. Must not know what the messages mean.

Source: MCP 2025-11-25, base protocol, transports, "stdio".
"""

from __future__ import annotations

import sys
from contextlib import aclosing

import trio

from gateway import limits
from gateway.errors import Malformed
from gateway.jsonrpc.codec import decode, encode, failure
from gateway.jsonrpc.lines import LineSplitter
from gateway.jsonrpc.messages import Request
from gateway.ports import LOCAL, ClientSession, Sessions
from gateway.telemetry.log import get_logger
from gateway.transports.backlog import Backlog
from gateway.transports.outlets import Standing
from gateway.transports.stdio_streams import open_input, open_output, reserved_output

_log = get_logger("stdio")


async def serve_stdio(sessions: Sessions, *, stdin_fd: int = 0, stdout_fd: int = 1) -> bool:
    """Serves the client that holds the other ends, until it closes its end or the session is closed.

    While it runs, `stdout_fd` itself leads to stderr, so that nothing but the protocol reaches the client.

    Returns:
        Whether the client ever said anything: without `-i`, a container's stdin ends at once.

    Cancellation: the session is closed, answers not yet written are lost.

    Raises:
        Overloaded: the session cannot be opened.
    """
    sys.stdout.flush()
    session = sessions.open(LOCAL, transport="stdio")
    try:
        with reserved_output(stdout_fd) as private:
            async with (
                aclosing(open_input(stdin_fd)) as source,
                aclosing(open_output(private)) as sink,
            ):
                conversation = _Conversation(session)
                await conversation.run(source, sink)
                return conversation.begun
    finally:
        session.close()


class _Conversation:
    """One client's lines, both ways. It is the outlet of its requests, and so knows when none is owed an answer."""

    def __init__(self, session: ClientSession) -> None:
        self.begun = False
        """Whether the client ever said anything."""
        self._session = session
        self._backlog = Backlog()
        self._owed = 0
        self._settled = trio.Event()

    async def run(self, source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
        """Reads until the end of input, writes until the session ends; either ends the other."""
        self._session.attach(Standing(self._backlog, _line))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, sink, nursery.cancel_scope)
            await self._read(source)
            # Whoever pipes a few requests in, from a shell, wants to see what can be answered at once.
            nursery.cancel_scope.deadline = trio.current_time() + limits.STDIO_FLUSH_S
            await self._wait_settled()
            self._backlog.close()

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Queues a message that comes before an answer."""
        self._backlog.push(_line(frame), skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """Queues the answer of a request, if there is one."""
        if frame is not None:
            self._backlog.push(_line(frame))
        self._owed -= 1
        if not self._owed:
            self._settled.set()

    async def _read(self, source: trio.abc.ReceiveStream) -> None:
        """Hands every line to the session. What is no message is answered and passed over."""
        lines = LineSplitter(limits.MAX_FRAME_BYTES)
        while chunk := await _receive(source):
            self.begun = True
            for line in lines.feed(chunk):
                self._take(line)
        if last := lines.rest():
            self._take(last)

    def _take(self, line: bytes | Malformed) -> None:
        try:
            if isinstance(line, Malformed):
                raise line
            message = decode(line)
        except Malformed as error:
            self._backlog.push(_line(encode(failure(error))))
            return
        if isinstance(message, Request):
            self._owed += 1
        self._session.receive(message, self)

    async def _wait_settled(self) -> None:
        while self._owed:
            self._settled = trio.Event()
            await self._settled.wait()

    async def _write(self, sink: trio.abc.SendStream, scope: trio.CancelScope) -> None:
        """Writes what is queued until the queue ends or nobody reads; then there is nothing left to serve."""
        while chunk := await self._backlog.pull():
            try:
                await sink.send_all(chunk)
            except trio.BrokenResourceError as error:
                _log.debug("stdout_broken", error=error)
                break
        if self._backlog.overflowed:
            _log.error("client_does_not_read", limit_bytes=limits.MAX_OUTBOUND_BYTES)
        scope.cancel()


async def _receive(source: trio.abc.ReceiveStream) -> bytes:
    """The next bytes of the input; a broken one has ended."""
    try:
        return bytes(await source.receive_some(limits.READ_CHUNK_BYTES))
    except trio.BrokenResourceError as error:
        _log.debug("stdin_broken", error=error)
        return b""


def _line(frame: bytes) -> bytes:
    return frame + b"\n"
