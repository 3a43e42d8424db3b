"""The ring of a stream's events: bounded, whole at its newer end, and in order, wherever readers come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.jsonrpc.sse import encode_event
from gateway.transports.event_feed import EventFeed
from tests.unit.gateway.transports.test_event_feed import events


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=30),
    after=st.integers(0, 35),
    max_events=st.integers(1, 8),
    max_bytes=st.integers(1, 400),
)
async def test_a_ring_keeps_the_newest_and_no_more(
    sizes: list[int], after: int, max_events: int, max_bytes: int
) -> None:
    """Who reads on after any event gets an unbroken row of ids up to the newest; the newest is always there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "RESUME_EVENTS", max_events)
        patch.setattr(limits, "RESUME_BYTES", max_bytes)
        feed = EventFeed("c1", primed=False)
        for size in sizes:
            feed.send(b"x" * size)
        found = await events(feed.read_on(0))
        numbers = [int(event.id.removeprefix("c1-")) for event in found]
        assert numbers == list(range(len(sizes) - len(found) + 1, len(sizes) + 1))
        assert [len(event.data) for event in found] == sizes[-len(found) :]
        weight = sum(len(encode_event(event.data, id=event.id)) for event in found)
        assert feed.kept_bytes == weight
        assert len(found) == 1 or (len(found) <= max_events and weight <= max_bytes)
        later = [event.id for event in await events(feed.read_on(after))]
        assert later == [f"c1-{number}" for number in numbers if number > after]
