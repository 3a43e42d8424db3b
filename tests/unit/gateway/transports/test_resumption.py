"""Which streams can be resumed, by whom, and for how long."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.errors import ClientFault
from gateway.ports import Principal
from gateway.transports.resumption import Resumption, is_primed
from tests.fakes.sessions import FakeSession


def session(name: str = "a", version: str | None = "2025-11-25") -> FakeSession:
    """A session after its handshake."""
    made = FakeSession(name, Principal("p"), "test")
    made.protocol_version = version
    return made


async def test_streams_are_found_by_the_ids_of_their_events() -> None:
    """Each one by its own, and not by those of another session."""
    streams, ours, theirs = Resumption(), session("a"), session("b")
    standing = streams.open_standing(ours)
    one, _ = streams.open_call(ours)
    two, _ = streams.open_call(ours)
    assert streams.standing(ours) is standing
    assert streams.standing(theirs) is None
    for feed in (standing, one, two):
        assert streams.find(ours, f"{feed.name}-5") == (feed, 5)
    with pytest.raises(ClientFault, match="send the request again"):
        streams.find(theirs, f"{one.name}-5")


@pytest.mark.parametrize(
    "event_id", ["", "c1", "c1-", "-1", "c1--1", "c1-1x", "x1-1", "c١-1", "c1-" + "9" * 16, "c99-0"]
)
async def test_ids_that_are_not_ours_are_refused(event_id: str) -> None:
    """Whatever they look like."""
    streams, ours = Resumption(), session()
    streams.open_call(ours)
    with pytest.raises(ClientFault):
        streams.find(ours, event_id)


async def test_a_forgotten_standing_stream_can_be_replaced() -> None:
    """Nothing of it is kept, but a new one serves its client as well."""
    streams, ours = Resumption(), session()
    feed = streams.open_standing(ours)
    streams.forget(ours, feed)
    streams.forget(ours, feed)
    assert streams.standing(ours) is None
    assert streams.find(ours, f"{feed.name}-3") == (None, 3)


@pytest.mark.refuses("to_clients.RESUME_KEEP_S")
async def test_ended_streams_are_kept_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    """Those under way as long as they last."""
    streams, ours = Resumption(), session()
    ended, _ = streams.open_call(ours)
    running, _ = streams.open_call(ours)
    ended.finish(b"{}")
    await trio.sleep(limits.RESUME_KEEP_S - 1)
    assert streams.find(ours, f"{ended.name}-0")[0] is ended
    await trio.sleep(2)
    with pytest.raises(ClientFault):
        streams.find(ours, f"{ended.name}-0")
    assert streams.find(ours, f"{running.name}-0")[0] is running
    assert repr(streams) == "<Resumption 1 streams, 0 ended with 0 bytes>"


async def test_too_many_ended_streams_go_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by bytes, over all sessions."""
    monkeypatch.setattr(limits, "RESUME_ENDED_STREAMS", 2)
    streams = Resumption()
    feeds = []
    for name in "abc":
        feed, _ = streams.open_call(session(name))
        feed.finish(b"x" * 100)
        feeds.append((session(name), feed))
    with pytest.raises(ClientFault):
        streams.find(feeds[0][0], f"{feeds[0][1].name}-0")
    assert streams.find(feeds[1][0], f"{feeds[1][1].name}-0")[0] is feeds[1][1]
    monkeypatch.setattr(limits, "RESUME_ENDED_BYTES", 200)
    with pytest.raises(ClientFault):
        streams.find(feeds[1][0], f"{feeds[1][1].name}-0")
    assert streams.find(feeds[2][0], f"{feeds[2][1].name}-0")[0] is feeds[2][1]


async def test_a_session_leaves_nothing() -> None:
    """Ended, standing or under way."""
    streams, ours = Resumption(), session()
    streams.open_standing(ours)
    running, _ = streams.open_call(ours)
    streams.open_call(ours)[0].finish(None)
    streams.forget_session(ours)
    streams.forget_session(ours)
    running.finish(b"{}")
    assert repr(streams) == "<Resumption 0 streams, 0 ended with 0 bytes>"
    assert streams._feeds == streams._standing == {}


@pytest.mark.parametrize(
    ("version", "primed"),
    [("2025-11-25", True), ("2025-06-18", False), ("2025-03-26", False), (None, False)],
)
async def test_only_clients_that_know_it_are_primed(version: str | None, *, primed: bool) -> None:
    """Older ones take an event without data for broken JSON."""
    assert is_primed(session(version=version)) is primed
    feed, reader = Resumption().open_call(session(version=version))
    feed.finish(None)
    assert (await reader.pull() != b"") is primed
