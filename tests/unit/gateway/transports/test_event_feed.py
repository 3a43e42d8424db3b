"""The events of one stream, for a reader that comes and goes."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.jsonrpc.sse import EventSplitter, ServerSentEvent
from gateway.transports.backlog import Backlog
from gateway.transports.event_feed import EventFeed


async def events(reader: Backlog) -> list[ServerSentEvent]:
    """What waits for a reader."""
    splitter, found = EventSplitter(2**30), []
    with trio.move_on_after(0) as scope:
        while chunk := await reader.pull():
            found += splitter.feed(chunk)
    assert scope.cancelled_caught or reader.closed
    return [event for event in found if isinstance(event, ServerSentEvent)]


async def numbers(reader: Backlog) -> list[int]:
    """The data of what waits, as numbers."""
    return [int(event.data) for event in await events(reader)]


def feed_of(count: int, *, primed: bool = False) -> EventFeed:
    """A feed in which so many events came while nobody read."""
    feed = EventFeed("c1", primed=primed)
    for number in range(1, count + 1):
        feed.send(b"%d" % number)
    return feed


async def test_events_have_ids() -> None:
    """The stream's name and a number: unique in the session, and telling where to go on."""
    feed = EventFeed("c7", primed=False)
    reader = feed.read_on()
    feed.send(b"{}")
    feed.finish(b"[]")
    assert [(e.id, e.data) for e in await events(reader)] == [("c7-1", b"{}"), ("c7-2", b"[]")]


async def test_a_primed_stream_begins_with_an_id_and_no_data() -> None:
    """And says when to come back."""
    feed = EventFeed("c7", primed=True)
    (event,) = await events(feed.read_on())
    assert (event.id, event.data, event.retry) == ("c7-0", b"", limits.RESUME_RETRY_S * 1000)


async def test_a_reader_goes_on_where_it_was_cut_off() -> None:
    """What it has seen does not come again, what came meanwhile does, then what comes."""
    feed = feed_of(0)
    first = feed.read_on()
    feed.send(b"1")
    feed.send(b"2")
    assert await numbers(first) == [1, 2]
    first.drop()
    feed.send(b"3")
    second = feed.read_on(1)
    feed.send(b"4")
    assert await numbers(second) == [2, 3, 4]
    assert await numbers(first) == []


async def test_a_reader_without_an_id_gets_what_nobody_was_sent() -> None:
    """It has seen nothing; but what another connection was sent is that one's."""
    feed = feed_of(2)
    first = feed.read_on()
    assert await numbers(first) == [1, 2]
    first.drop()
    feed.send(b"3")
    second = feed.read_on()
    assert await numbers(second) == [3]
    third = feed.read_on()
    feed.send(b"4")
    assert await numbers(third) == [4]


async def test_a_primed_reader_without_an_id_gets_the_id_it_begins_at() -> None:
    """A later one, too."""
    feed = feed_of(2, primed=True)
    feed.read_on().drop()
    (event,) = await events(feed.read_on())
    assert event.id == "c1-2"


async def test_a_newer_reader_takes_over() -> None:
    """No message goes to two connections."""
    feed = feed_of(1)
    old = feed.read_on()
    new = feed.read_on(0)
    assert old.closed
    assert await numbers(old) == []
    assert await numbers(new) == [1]


async def test_an_ended_stream_is_read_to_its_end() -> None:
    """Then its reader ends as well."""
    feed = feed_of(1)
    feed.finish(b"2")
    feed.finish(b"3")
    feed.send(b"4")
    reader = feed.read_on(0)
    assert await numbers(reader) == [1, 2]
    assert reader.closed
    assert await numbers(feed.read_on(99)) == []


async def test_only_the_newest_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by bytes; the newest one always."""
    monkeypatch.setattr(limits, "RESUME_EVENTS", 3)
    assert await numbers(feed_of(5).read_on(0)) == [3, 4, 5]
    monkeypatch.setattr(limits, "RESUME_BYTES", 1)
    feed = feed_of(5)
    assert await numbers(feed.read_on(0)) == [5]
    assert feed.kept_bytes > limits.RESUME_BYTES


async def test_a_reader_that_overflows_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off like one whose connection broke."""
    feed = feed_of(0)
    reader = feed.read_on()
    reader._max_bytes = 1
    feed.send(b"1")
    feed.send(b"2")
    assert reader.overflowed
    assert await numbers(feed.read_on(0)) == [1, 2]


async def test_waiting_for_a_reader(autojump_clock: trio.testing.MockClock) -> None:
    """Ends when one comes, or with the stream."""
    feed = feed_of(0)
    for wake in (feed.read_on, lambda: feed.finish(None)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.wait_read)
            await trio.testing.wait_all_tasks_blocked()
            wake()
        feed._reader.drop()
    await feed.wait_read()


def test_its_repr_tells_its_state() -> None:
    """For logs and for debugging."""
    feed = feed_of(1)
    assert repr(feed) == f"<EventFeed c1 unread, 1 events, {feed.kept_bytes} bytes>"
    feed.read_on()
    assert " read, " in repr(feed)
    feed.finish(None)
    assert " ended, " in repr(feed)


@given(
    sent=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    lost=st.lists(st.booleans(), min_size=8, max_size=8),
)
async def test_whoever_comes_back_with_the_last_id_misses_nothing(
    sent: list[int], lost: list[bool]
) -> None:
    """Wherever its connections break, and whether or not what was under way arrived."""
    feed = EventFeed("c1", primed=True)
    seen: list[int] = []
    last: int | None = None
    number = 0
    for count, is_lost in zip(sent, lost, strict=False):
        reader = feed.read_on(last)
        for _ in range(count):
            number += 1
            feed.send(b"%d" % number)
        arrived = await events(reader)
        if is_lost:
            arrived = arrived[: len(arrived) // 2] if last is not None else arrived[:1]
        for event in arrived:
            last = int(event.id.removeprefix("c1-"))
            seen += [int(event.data)] if event.data else []
        reader.drop()
    seen += await numbers(feed.read_on(last))
    assert seen == list(range(1, number + 1))
