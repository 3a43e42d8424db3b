"""A request's body for httpx. Imports httpx, so only `wire` may import it, and late."""

from __future__ import annotations

import httpx


class Body(httpx.AsyncByteStream):
    """One piece of bytes, once.

    httpx's own body is an async generator: cancelled while it is written, it is left to the garbage collector, with a warning.
    """

    def __init__(self, content: bytes) -> None:
        self._left = [content]

    def __aiter__(self) -> Body:
        """Itself: httpx reads a body once."""
        return self

    async def __anext__(self) -> bytes:
        """The body, then nothing."""
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()
