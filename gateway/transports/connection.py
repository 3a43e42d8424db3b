"""One client's connection, from its first byte to its last: each request is checked, then served by the lane or by hypercorn.

There is one request at a time, in order; what a client sends ahead waits. Must not know what is served.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from gateway import limits
from gateway.transports.body_framing import BodyFraming, framing_of
from gateway.transports.connections import ClientStream
from gateway.transports.deadlines import Deadline
from gateway.transports.fast_lane import FastLane
from gateway.transports.front import Front
from gateway.transports.head_check import CheckedHead
from gateway.transports.http import ClientLeft, Refused
from gateway.transports.http_writing import reply_bytes
from gateway.transports.line import Line
from gateway.transports.outflow import Stream
from gateway.transports.refusals import refusal

if TYPE_CHECKING:
    from gateway.transports.hypercorn_bridge import Bridge, Hypercorn


class Connection:
    """A client's connection.

    Args:
        stream: it; closed by its owner.
        deadline: its deadline, swept by the owner.
        lane: whose requests the lane serves; None where hypercorn serves all.
        hypercorn: gives hypercorn, once that is there.
    """

    def __init__(
        self,
        stream: Stream,
        deadline: Deadline,
        *,
        lane: Front | None,
        hypercorn: Callable[[], Awaitable[Hypercorn]],
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._front = lane
        self._hypercorn = hypercorn
        self._bridge: Bridge | None = None
        self._line: Line | None = None

    async def run(self) -> None:
        """Serves the client until it has left, or its time is over.

        Cancellation: nothing more is sent.
        """
        try:
            if not await self._is_secure():
                return
            async with trio.open_nursery() as nursery:
                line = self._line = Line(self._stream, nursery, self._deadline)
                line.rest()
                try:
                    await self._serve(line)
                except ClientLeft:
                    pass
                except Refused as fault:
                    await _refuse(line, fault)
        finally:
            if self._line is not None:
                self._line.outflow.cut()

    def finish(self) -> None:
        """Ends it: now, where no request is under way, or after the answer."""
        if self._line is None:
            self._transport.abort()
        else:
            self._line.finish()

    async def said(self) -> None:
        """Until nothing more will be sent; only where it is to end."""
        if self._line is not None:
            await self._line.outflow.ended()

    @property
    def _transport(self) -> ClientStream:
        stream = self._stream
        return stream.transport_stream if isinstance(stream, trio.SSLStream) else stream

    async def _is_secure(self) -> bool:
        """Does the TLS handshake, if there is one to do; says whether that went well."""
        if not isinstance(self._stream, trio.SSLStream):
            return True
        try:
            with trio.move_on_after(limits.CONNECT_TIMEOUT_S):
                await self._stream.do_handshake()
                return True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        return False

    async def _serve(self, line: Line) -> None:
        scheme = "https" if isinstance(self._stream, trio.SSLStream) else "http"
        lane = None if self._front is None else FastLane(self._front, line, scheme=scheme)
        while (head := await _next_head(line, lane)) is not None:
            if not line.outflow.is_clear:
                line.deadline.clear()
                await line.outflow.drained()
            line.begin()
            if lane is not None and lane.takes(head):
                await lane.serve(head)
            else:
                await self._pass_on(line, head)
            if line.ends:
                line.rest()
                await line.linger()
                return

    async def _pass_on(self, line: Line, head: CheckedHead) -> None:
        """Has hypercorn serve a request."""
        line.deadline.clear()
        bridge = self._bridge
        if bridge is None:
            bridge = self._bridge = await self._connect(line)
        bridge.begin()
        await bridge.feed(head.plain)
        if bridge.is_websocket:
            await _pass_all(line, bridge)
            return
        await _pass_body(line, bridge, head)
        while not bridge.is_idle:
            if line.held:
                await bridge.wait_idle()
            elif not await line.more():
                await bridge.end()
                return

    async def _connect(self, line: Line) -> Bridge:
        """Hypercorn for this connection.

        Raises:
            ClientLeft: the client is gone.
        """
        hypercorn = await self._hypercorn()
        try:
            return hypercorn.connect(
                self._transport.socket,
                line.outflow,
                line.nursery,
                secure=self._stream is not self._transport,
                rest=line.rest,
                close=self._close,
            )
        except OSError as error:
            # A connection that was reset has no addresses any more.
            raise ClientLeft from error

    def _close(self) -> None:
        """Hypercorn wants the connection to end."""
        if self._line is not None:
            self._line.ends = True
            self._line.rest()


async def _next_head(line: Line, lane: FastLane | None) -> CheckedHead | None:
    """The head of the next request that takes a task, None where none comes any more. The lane serves others meanwhile."""
    if lane is None:
        return await line.head()
    is_there = await line.begun(lane.express)
    await lane.settled()
    if line.ends:
        await line.linger()
        return None
    return await line.head() if is_there else None


async def _pass_body(line: Line, bridge: Bridge, head: CheckedHead) -> None:
    """Passes on the body of a request, byte for byte."""
    framing = framing_of(head)
    while not framing.done:
        if not line.held and not await line.more():
            await bridge.end()
            raise ClientLeft
        part = _checked_part(line, framing)
        if isinstance(part, Refused):
            await bridge.give_up()
            if not bridge.has_answered:
                raise part
            line.ends = True
            return
        await bridge.feed(part)


def _checked_part(line: Line, framing: BodyFraming) -> bytes | Refused:
    """What is held of a body, or why it is none."""
    try:
        return line.raw_part(framing)
    except Refused as fault:
        return fault


async def _pass_all(line: Line, bridge: Bridge) -> None:
    """Passes on all that comes: it is HTTP no more."""
    while line.held or await line.more():
        part, line.held = line.held, b""
        await bridge.feed(part)
    await bridge.end()


async def _refuse(line: Line, fault: Refused) -> None:
    """Says why what came cannot be served, and ends the connection."""
    line.ends = True
    line.outflow.write(reply_bytes(refusal(fault), close=True))
    line.rest()
    await line.linger()
