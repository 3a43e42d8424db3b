"""One request of the fast lane and its answer, for what takes longer than a function call. Must not know MCP."""

from __future__ import annotations

from gateway.transports.http import CLOSE, Headers, Reply
from gateway.transports.http_writing import LAST_CHUNK, chunk, reply_bytes, stream_head
from gateway.transports.line import Line
from gateway.transports.request_head import RequestHead


class LaneCall:
    """Implements `HttpCall`. The line's owner reads meanwhile, and sees whether the client is there."""

    def __init__(self, head: RequestHead, line: Line) -> None:
        self.head = head
        self.started = False
        """Whether an answer is under way: then no other can be given."""
        self.is_whole = False
        """Whether the answer was brought to its end."""
        self._line = line

    async def respond(self, reply: Reply) -> None:
        """Sends a whole answer."""
        self.started = self.is_whole = True
        write_reply(self._line, self.head, reply)
        await self._line.outflow.drained()

    async def start(self, headers: Headers) -> None:
        """Begins an event stream; `write` and `end` follow."""
        self.started = True
        closing = CLOSE if self._line.ends else ()
        await self._line.outflow.send(stream_head((*headers, *self.head.extra_headers, *closing)))

    async def write(self, content: bytes) -> None:
        """Sends a piece of the stream. Returns also when the client is gone; waits while it does not read."""
        await self._line.outflow.send(chunk(content))

    async def end(self) -> None:
        """Ends the stream well."""
        self.is_whole = True
        await self._line.outflow.send(LAST_CHUNK)

    async def disconnected(self) -> None:
        """Until the client has disconnected."""
        await self._line.gone.wait()


def write_reply(line: Line, head: RequestHead, reply: Reply) -> None:
    """Sends a whole answer, which says so where the connection ends with it."""
    line.ends = line.ends or CLOSE[0] in reply.headers
    line.outflow.write(reply_bytes(reply, head.extra_headers, close=line.ends))
