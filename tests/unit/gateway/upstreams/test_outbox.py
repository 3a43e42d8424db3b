"""The outbox: bounded, in order, and closed once."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway.errors import Gone, Overloaded
from gateway.upstreams.outbox import Outbox

BOUND = 10


async def test_frames_come_out_in_order(nursery: trio.Nursery) -> None:
    """Whoever waits gets the first."""
    outbox = Outbox("fake")
    taken: list[bytes] = []

    async def take_two() -> None:
        taken.extend([await outbox.get(), await outbox.get()])

    nursery.start_soon(take_two)
    await wait_all_tasks_blocked()
    outbox.put(b"a", bound_bytes=BOUND)
    outbox.put(b"b", bound_bytes=BOUND)
    await wait_all_tasks_blocked()
    assert taken == [b"a", b"b"]


@pytest.mark.refuses("to_servers.MAX_OUTBOUND_BYTES")
async def test_a_frame_over_the_bound_is_refused() -> None:
    """Until there is room again."""
    outbox = Outbox("fake")
    outbox.put(b"x" * BOUND, bound_bytes=BOUND)
    assert repr(outbox) == "<Outbox to fake: 10 bytes queued>"
    with pytest.raises(Overloaded, match="'fake' does not read"):
        outbox.put(b"x", bound_bytes=BOUND)
    await outbox.get()
    outbox.put(b"x", bound_bytes=BOUND)


async def test_a_cancelled_get_loses_nothing() -> None:
    """The next one has it."""
    outbox = Outbox("fake")
    with trio.move_on_after(0) as scope:
        await outbox.get()
    assert scope.cancelled_caught
    outbox.put(b"a", bound_bytes=BOUND)
    assert await outbox.get() == b"a"


async def test_nothing_is_put_after_the_end() -> None:
    """The first reason stands, and what waited is forgotten."""
    outbox = Outbox("fake")
    outbox.put(b"a", bound_bytes=BOUND)
    outbox.close("over")
    outbox.close("again")
    assert "0 bytes" in repr(outbox)
    with pytest.raises(Gone, match="over"):
        outbox.put(b"a", bound_bytes=BOUND)
