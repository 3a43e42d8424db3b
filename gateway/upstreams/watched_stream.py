"""A stream that is watched while a WebSocket runs over it. Must not know what its bytes mean.

trio-websocket does not tell when the server hangs up during the handshake, reads a refusal of any length, and does not say
when it last heard of the server.
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits

_OPENING_BYTES: Final = limits.HEAD_BYTES + limits.MAX_ERROR_BODY_BYTES
"""What is read of the answer to the handshake."""


class WatchedStream(trio.abc.Stream):
    """Bytes as they are, and what one must know of them: whether they have ended, and how long they have kept us waiting."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._ended = trio.Event()
        # Since when bytes are waited for; None while nobody waits.
        self._waiting_since: float | None = None
        # How many may still come; None for any number.
        self._bytes_left: int | None = _OPENING_BYTES

    @property
    def silent_s(self) -> float:
        """For how long the reader has got nothing; a reader that is busy otherwise waits for nothing."""
        if self._waiting_since is None:
            return 0.0
        return trio.current_time() - self._waiting_since

    def lift_bound(self) -> None:
        """Lets any number of bytes come."""
        self._bytes_left = None

    async def cancel_at_end(self, scope: trio.CancelScope) -> None:
        """Cancels once nothing more can come."""
        await self._ended.wait()
        scope.cancel()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes; see `trio.abc.ReceiveStream`."""
        self._waiting_since = trio.current_time()
        try:
            received = bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._ended.set()
            raise
        finally:
            self._waiting_since = None
        if self._bytes_left is not None:
            self._bytes_left -= len(received)
        if not received or (self._bytes_left is not None and self._bytes_left < 0):
            self._ended.set()
            return b""
        return received

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends bytes; see `trio.abc.SendStream`."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits for room; see `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Closes the connection."""
        self._ended.set()
        await self._stream.aclose()
