"""What a remote server has sent and nobody has taken yet. Must not know how it came.

Bounded: who puts waits while it is full, does not read its socket meanwhile, and so the server waits as well.
"""

from __future__ import annotations

import trio

from gateway import limits
from gateway.errors import Gone
from gateway.jsonrpc.messages import Message


class Inbox:
    """Messages from several streams of one server to one reader, and how it all ended."""

    def __init__(self) -> None:
        self._arriving: trio.MemorySendChannel[Message]
        self._waiting: trio.MemoryReceiveChannel[Message]
        self._arriving, self._waiting = trio.open_memory_channel(limits.REMOTE_INBOX_MESSAGES)
        # Why nothing more will come; None while more may.
        self._why: str | None = None

    async def put(self, message: Message) -> None:
        """Adds a message, waiting for room. After the end it is thrown away: nobody reads any more.

        Cancellation: the message was not added.
        """
        try:
            await self._arriving.send(message)
        except trio.ClosedResourceError:
            return

    async def get(self) -> Message:
        """The next message; what came before the end is still handed out.

        Raises:
            Gone: nothing is left, and nothing more will come.
        """
        try:
            return await self._waiting.receive()
        except trio.EndOfChannel:
            raise Gone(self._why or "the connection is closed") from None

    def end(self, why: str) -> None:
        """Lets `get` raise `Gone(why)` once it is empty. The first reason stands."""
        if self._why is None:
            self._why = why
            self._arriving.close()

    @property
    def ended(self) -> str | None:
        """Why nothing more will come; None while more may."""
        return self._why
