"""Writes a backlog to a client as an event stream: comments while it is silent, disconnects, the end.

Must not know whose events they are.
"""

from __future__ import annotations

import math
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
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_when_gone, call, nursery.cancel_scope)
        await _write_all(call, backlog)
        nursery.cancel_scope.cancel()
    if backlog.closed and not backlog.overflowed:
        await call.end()


async def _write_all(call: EventSink, backlog: Backlog) -> None:
    """Writes what there is as it comes, and a comment whenever it has been silent for long."""
    while True:
        chunk = _KEEPALIVE
        # One scope for all events up to a silence: one for each event would cost more than the event.
        with trio.CancelScope() as silence:
            while True:
                silence.deadline = trio.current_time() + limits.SSE_KEEPALIVE_S
                chunk = await backlog.pull()
                silence.deadline = math.inf
                if not chunk:
                    return
                if silence.cancel_called:
                    break  # it came at the last moment: what is written in a cancelled scope is lost
                await call.write(chunk)
                chunk = _KEEPALIVE
        await call.write(chunk)


async def _cancel_when_gone(call: EventSink, scope: trio.CancelScope) -> None:
    await call.disconnected()
    scope.cancel()
