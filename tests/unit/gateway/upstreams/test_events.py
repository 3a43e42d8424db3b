"""When a broken stream is opened again."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from gateway import limits
from gateway.jsonrpc.sse import EventSplitter
from gateway.upstreams.events import Resumption


async def test_a_server_that_asks_for_no_pause_gets_a_short_one(
    autojump_clock: MockClock,
) -> None:
    """Or it could keep us busy with opening streams, for ever."""
    splitter = EventSplitter(100)
    splitter.feed(b"retry: 0\n\n")
    resumption = Resumption()
    resumption.note(splitter)
    began = trio.current_time()
    for _ in range(10):
        await resumption.pause()
    assert trio.current_time() - began > 9 * limits.RECONNECT_FLOOR_S
