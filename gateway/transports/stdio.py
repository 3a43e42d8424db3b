"""The stdio transport: one client, one message a line, stdin to stdout. Must not know what the messages mean.

Source: MCP 2025-11-25, base protocol, transports, "stdio".
"""

from __future__ import annotations

import sys
from contextlib import aclosing

import trio

from gateway import limits
from gateway.jsonrpc.edges import Edges
from gateway.jsonrpc.lines import LineSplitter
from gateway.ports import LOCAL, Sessions
from gateway.telemetry.log import get_logger
from gateway.transports.backlog import Backlog
from gateway.transports.conversation import Conversation
from gateway.transports.stdio_streams import Output, open_input, open_output, reserved_output

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
                conversation = Conversation(session, _line, write_now=sink.send_nowait)
                return await _converse(conversation, source, sink)
    finally:
        session.close()


async def _converse(
    conversation: Conversation, source: trio.abc.ReceiveStream, sink: Output
) -> bool:
    """Reads until the end of input, writes until the session ends; either ends the other.

    Returns:
        Whether anything came in.
    """
    begun = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_write, conversation.backlog, sink, nursery.cancel_scope)
        lines = LineSplitter(limits.MAX_FRAME_BYTES)
        while chunk := await _receive(source):
            begun = True
            for line in lines.feed(chunk):
                if not isinstance(line, Edges):
                    conversation.take(line)
        if last := lines.rest():
            conversation.take(last)
        # Whoever pipes a few requests in, from a shell, wants to see what can be answered at once.
        nursery.cancel_scope.deadline = trio.current_time() + limits.STDIO_FLUSH_S
        await conversation.wait_settled()
        conversation.backlog.close()
    return begun


async def _write(backlog: Backlog, sink: Output, scope: trio.CancelScope) -> None:
    """Writes what is queued until the queue ends or nobody reads; then there is nothing left to serve."""
    while chunk := await backlog.pull():
        try:
            await sink.send_all(chunk)
        except trio.BrokenResourceError as error:
            _log.debug("stdout_broken", error=error)
            break
    if backlog.overflowed:
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
