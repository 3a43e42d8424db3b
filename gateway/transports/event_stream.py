"""Writes a backlog to a client as an event stream: comments while it is silent, disconnects, the end.

Must not know whose events they are.
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits
from gateway.jsonrpc.sse import comment
from gateway.transports.backlog import Backlog
from gateway.transports.http import EventSink, Headers

_KEEPALIVE: Final = comment("keep-alive")


async def stream_events(call: EventSink, backlog: Backlog, headers: Headers = ()) -> None:
    """Answers `call` with the events of `backlog` until that is closed, or the client is gone.

    After an overflow the stream is left without its end, so that the client sees a broken connection.

    Cancellation: the stream breaks; the backlog keeps what was not written.
    """
    await call.start(headers)
    writer = _Writer(call, backlog)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_when_gone, call, nursery.cancel_scope)
        nursery.start_soon(writer.break_silences)
        await writer.write_all()
        nursery.cancel_scope.cancel()
    if backlog.closed and not backlog.overflowed:
        await call.end()


class _Writer:
    """Writes what there is as it comes, and a comment whenever it has been silent for long.

    The comments are another task's: a time limit on each wait for an event costs more than the event.
    """

    def __init__(self, call: EventSink, backlog: Backlog) -> None:
        self._call = call
        self._backlog = backlog
        self._spoke = trio.current_time()
        """When something was written last."""

    async def write_all(self) -> None:
        """To the end of the backlog."""
        while chunk := await self._backlog.pull():
            self._spoke = trio.current_time()
            await self._call.write(chunk)

    async def break_silences(self) -> None:
        """Until cancelled."""
        while True:
            await trio.sleep_until(self._spoke + limits.SSE_KEEPALIVE_S)
            if self._spoke + limits.SSE_KEEPALIVE_S <= trio.current_time():
                self._backlog.push(_KEEPALIVE, skippable=True)
                self._spoke = trio.current_time()


async def _cancel_when_gone(call: EventSink, scope: trio.CancelScope) -> None:
    await call.disconnected()
    scope.cancel()
