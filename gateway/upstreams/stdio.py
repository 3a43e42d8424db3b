"""A message pipe over a runtime's link: one JSON-RPC message a line. Must not know what runs at the other end, or how.

A call that is alone costs no task switch on its way out: `send` writes it. What comes after it, before the server has said
anything, queues for the writer, which takes all that one turn of the loop brought in one write; so do notifications, for
which nobody waits. `receive` reads the link in its caller's task.

Source: MCP 2025-11-25, base protocol, transports, "stdio".
"""

from __future__ import annotations

import math
from collections import deque

import trio

from gateway import limits
from gateway.errors import Gone, Overloaded, TooLong
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.edges import Edges
from gateway.jsonrpc.lines import LineSplitter
from gateway.jsonrpc.messages import Message, Notification, Request
from gateway.ports import Link
from gateway.telemetry.redaction import redact
from gateway.telemetry.refusals import refused
from gateway.upstreams.frames import TOO_LONG, Frames


class StdioPipe:
    """Messages to and from the server at the other end of `link`, which the pipe owns from now on."""

    def __init__(self, link: Link, *, server: str) -> None:
        self._link = link
        self._server = server
        self._frames = Frames(server)
        self._lines = LineSplitter(limits.MAX_FRAME_BYTES)
        # Decoded but not yet taken: what one read brought.
        self._arrived: deque[Message] = deque()
        # Encoded but not yet written, and the bytes of it: bounded by `limits.MAX_OUTBOUND_BYTES`.
        self._queue: deque[bytes | memoryview] = deque()
        self._queued_bytes = 0
        # Where the writer waits for frames.
        self._idle_writer = trio.lowlevel.ParkingLot()
        # Set once the server's output has ended, and not because the pipe was closed.
        self._ended = trio.Event()
        # Whether it has ever said anything: of one that has not, how it ended is all that helps.
        self._heard = False
        # Whether `send` has written since the server was last heard: then frames are worth gathering.
        self._gathering = False
        # Ends a write that the server does not take when the pipe is closed.
        self._running = trio.CancelScope()
        # Why nothing can be sent any more; None while it can.
        self._why: str | None = None

    def __repr__(self) -> str:
        """State and what waits, for logs and tests."""
        state = "open" if self._why is None else self._why
        return f"<StdioPipe {self._server} over {self._link.name}: {state}, {self._queued_bytes} bytes queued>"

    @property
    def name(self) -> str:
        """The link's name."""
        return self._link.name

    def stderr_tail(self) -> str:
        """The last of the server's stderr."""
        return self._link.stderr_tail()

    def send(self, message: Message, *, deadline: float = math.inf) -> None:  # noqa: ARG002 -- nothing is put off here
        """Queues a message for the writer; see `ports.MessagePipe`."""
        if self._why is not None:
            raise Gone(self._why)
        frame = encode(message) + b"\n"
        # Answers to a server that asks and asks, and never reads, leave room for calls, and memory for others.
        bound = limits.MAX_OUTBOUND_BYTES
        if not isinstance(message, Request):
            bound = limits.MAX_OUTBOUND_NOTES_BYTES
        if self._queued_bytes + len(frame) > bound:
            refused("to_servers.MAX_OUTBOUND_BYTES")
            raise Overloaded(f"server {self._server!r} does not read its input: try again later")
        rest: bytes | memoryview = frame
        # A notification is not answered, so that the call after it would count as one of many until the server speaks.
        if not self._gathering and self._idle_writer and not isinstance(message, Notification):
            self._gathering = True
            rest = self._write_now(frame)
        if rest:
            self._queue.append(rest)
            self._queued_bytes += len(rest)
            # Mostly it is awake, and to wake nobody costs as much as all the rest of this.
            if self._idle_writer:
                self._idle_writer.unpark()

    async def run(self) -> None:
        """Writes what is queued until the pipe is closed; see `ports.MessagePipe`.

        Cancellation: a frame may be half written, so nothing is sent afterwards.
        """
        try:
            with self._running:
                while True:
                    while not self._queue:
                        await self._idle_writer.park()
                    if rest := self._write_now(self._next_batch()):
                        await self._link.send_all(rest)
                    # It may be large, and nothing else to write for long.
                    del rest
        except Gone:
            self._stop_sending(f"server {self._server!r} ({self.name}) no longer reads its input")
            # One that has ended is seen to by `receive`, which learns how; whoever closes first would never know. One that
            # lives and cannot be asked is of no use: closing it lets `receive` see the end.
            with trio.move_on_after(limits.ENDING_S) as patience:
                await self._ended.wait()
            if patience.cancelled_caught:
                self._running.cancel()
                await self._link.aclose()
        finally:
            self._stop_sending(f"server {self._server!r} ({self.name}) was stopped")

    async def receive(self) -> Message:
        """The server's next message; see `ports.MessagePipe`.

        Cancellation: nothing is lost.
        """
        while not self._arrived:
            chunk = await self._link.receive_some()
            if not chunk:
                if not self._running.cancel_called:
                    self._ended.set()
                self._take(self._lines.rest())
                break
            self._gathering = False
            self._heard = True
            for line in self._lines.feed(chunk):
                self._take(line)
        if self._arrived:
            return self._arrived.popleft()
        raise Gone(await self._why_gone())

    def obituary(self) -> str:
        """How the server ended by itself, as far as is known by now; see `ports.MessagePipe`."""
        return _ending(self._server, self._link) if self._ended.is_set() else ""

    async def kill(self) -> None:
        """Ends the server without grace; see `ports.MessagePipe`."""
        self._stop_sending(f"server {self._server!r} ({self.name}) was stopped")
        self._running.cancel()
        await self._link.kill()

    async def aclose(self) -> None:
        """Stops writing and stops the server; see `ports.MessagePipe`.

        One that has ended by itself is asked for the rest of its story first, for `obituary`; nobody waits for it.
        """
        self._stop_sending(f"server {self._server!r} ({self.name}) was stopped")
        self._running.cancel()
        try:
            if self._ended.is_set():
                await self._link.learn_ending()
        finally:
            await self._link.aclose()

    def _write_now(self, frame: bytes | memoryview) -> bytes | memoryview:
        """What is left of a frame after as much of it was written as goes without waiting."""
        try:
            taken = self._link.send_nowait(frame)
        except Gone:
            # The writer meets the same, and sees to the end.
            return frame
        return memoryview(frame)[taken:] if taken else frame

    def _next_batch(self) -> bytes | memoryview:
        """Takes the frames of one write off the queue: all that wait, up to a size worth copying."""
        batch = [self._queue.popleft()]
        size = len(batch[0])
        while self._queue and size + len(self._queue[0]) <= limits.WRITE_BATCH_BYTES:
            size += len(self._queue[0])
            batch.append(self._queue.popleft())
        self._queued_bytes -= size
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def _take(self, line: bytes | TooLong | Edges) -> None:
        match line:
            case TooLong():
                refused("from_servers.MAX_FRAME_BYTES")
                self._frames.report(line.begin, line)
            case Edges():
                self._arrived.extend(self._frames.in_the_place_of(line, TOO_LONG))
            case _ if line:
                self._arrived.extend(self._frames.unpack(line))

    def _stop_sending(self, why: str) -> None:
        if self._why is None:
            self._why = why
        self._queue.clear()
        self._queued_bytes = 0

    async def _why_gone(self) -> str:
        """Why nothing more comes, in one sentence. Of a server that was in use only what is known soon: calls wait for it."""
        if self._running.cancel_called:
            return self._why or f"server {self._server!r} ({self.name}) was stopped"
        with trio.move_on_after(limits.LAST_WORDS_WAIT_S if self._heard else limits.ENDING_S):
            await self._link.learn_ending()
        why = _ending(self._server, self._link)
        self._stop_sending(why)
        return why


def _ending(server: str, link: Link) -> str:
    """The sentence on a server that has ended by itself: exit status and last words, as far as they are known."""
    status = link.exit_status()
    how = "has ended or closed its output" if status is None else f"exited with status {status}"
    # A server may well print what it was given: masked before it is cut, for clients read this.
    words = " ".join(redact(link.stderr_tail()).split())[-limits.LAST_WORDS_CHARS :]
    return f"server {server!r} ({link.name}) {how}" + (
        f"; its last words: {words}" if words else ""
    )
