"""A link in memory: the other side is a task of the test. Must not know what the bytes mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from gateway import limits
from gateway.errors import Gone
from gateway.jsonrpc.lines import LineSplitter
from gateway.limits import MAX_FRAME_BYTES


class MemoryLink:
    """Implements `ports.Link`; `stdin` is what the server reads, `stdout` what it writes."""

    def __init__(self) -> None:
        self.stdin, self._to_server = _pipe()
        self._from_server, self.stdout = _pipe()
        self.stderr = ""
        self.status: int | None = None
        self.has_ended = trio.Event()
        self.closed = 0
        self.writes = 0

    @property
    def name(self) -> str:
        """A name as a runtime would give it."""
        return "mcp-fake-1"

    @property
    def kind(self) -> str:
        """No real kind."""
        return "memory"

    async def send_all(self, frame: bytes | memoryview) -> None:
        """Writes to the server's stdin."""
        self.writes += 1
        try:
            await self._to_server.send(bytes(frame))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Gone("the server no longer reads") from error

    def send_nowait(self, frame: bytes | memoryview) -> int:
        """Writes where the server waits for input, and then all of it."""
        try:
            self._to_server.send_nowait(bytes(frame))
        except trio.WouldBlock:
            return 0
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Gone("the server no longer reads") from error
        self.writes += 1
        return len(frame)

    async def receive_some(self) -> bytes:
        """The next bytes of the server's stdout; b"" at its end."""
        try:
            return await self._from_server.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            return b""

    async def learn_ending(self) -> None:
        """Waits until the test has put an exit status there, as long as a real link would."""
        with trio.move_on_after(limits.ENDING_S):
            await self.has_ended.wait()

    def stderr_tail(self) -> str:
        """What the test has put there."""
        return self.stderr

    def exit_status(self) -> int | None:
        """What the test has put there."""
        return self.status

    async def aclose(self) -> None:
        """Ends both pipes."""
        self.closed += 1
        self._to_server.close()
        self.stdout.close()
        await trio.lowlevel.checkpoint()

    async def kill(self) -> None:
        """The same, at once."""
        await self.aclose()

    def die(self, status: int, stderr: str = "") -> None:
        """The server ends by itself."""
        self.stdin.close()
        self.stdout.close()
        self.tell(status, stderr)

    def tell(self, status: int, stderr: str = "") -> None:
        """What is learned of its end."""
        self.status, self.stderr = status, stderr
        self.has_ended.set()


async def serve_lines(
    link: MemoryLink, take: Callable[[bytes, Callable[[bytes], Awaitable[None]]], Awaitable[None]]
) -> None:
    """Plays the server: each line from stdin goes to `take` in a task of its own, with the way to answer."""

    async def say(frame: bytes) -> None:
        await link.stdout.send(frame + b"\n")

    lines = LineSplitter(MAX_FRAME_BYTES)
    async with trio.open_nursery() as nursery:
        try:
            async for chunk in link.stdin:
                for line in lines.feed(chunk):
                    if isinstance(line, bytes):
                        nursery.start_soon(take, line, say)
        except trio.ClosedResourceError:
            pass
        nursery.cancel_scope.cancel()


def _pipe() -> tuple[trio.MemoryReceiveChannel[bytes], trio.MemorySendChannel[bytes]]:
    """A pipe without a buffer: a write waits for its reader."""
    sending, receiving = trio.open_memory_channel[bytes](0)
    return receiving, sending
