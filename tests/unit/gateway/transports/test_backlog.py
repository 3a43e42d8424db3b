"""The queue of frames for one client: order, bound, end."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.transports.backlog import Backlog


async def test_small_frames_come_out_together_and_in_order() -> None:
    """One write for many answers."""
    backlog = Backlog()
    for frame in (b"a", b"b", b"c"):
        backlog.push(frame)
    assert await backlog.pull() == b"abc"


async def test_a_large_frame_is_not_joined_with_others() -> None:
    """Joining would copy it."""
    large = b"x" * limits.READ_CHUNK_BYTES
    backlog = Backlog()
    backlog.push(b"a")
    backlog.push(large)
    backlog.push(b"b")
    assert await backlog.pull() == b"a"
    assert await backlog.pull() is large
    assert await backlog.pull() == b"b"


async def test_pull_waits_for_a_frame(autojump_clock: trio.testing.MockClock) -> None:
    """The writer sleeps until there is something to write."""
    backlog = Backlog()
    async with trio.open_nursery() as nursery:
        pulled: list[bytes] = []

        async def pull() -> None:
            pulled.append(await backlog.pull())

        nursery.start_soon(pull)
        await trio.testing.wait_all_tasks_blocked()
        assert pulled == []
        backlog.push(b"late")
    assert pulled == [b"late"]


async def test_a_closed_backlog_gives_out_what_it_holds_and_then_the_end() -> None:
    """The last answer is not lost; what comes after is."""
    backlog = Backlog()
    backlog.push(b"last")
    backlog.close()
    backlog.push(b"too late")
    assert await backlog.pull() == b"last"
    assert await backlog.pull() == b""
    assert await backlog.pull() == b""


@pytest.mark.refuses("to_clients.MAX_OUTBOUND_BYTES")
async def test_an_overflow_drops_everything_and_says_so() -> None:
    """A skipped answer would be worse than none; the memory is given back at once."""
    backlog = Backlog(max_bytes=10)
    backlog.push(b"12345678")
    backlog.push(b"123")
    assert backlog.overflowed
    assert backlog.closed
    assert await backlog.pull() == b""
    assert repr(backlog) == "<Backlog overflowed, 0 frames, 0 bytes>"


async def test_a_cancelled_pull_loses_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """The keep-alive timer cancels pulls all the time."""
    backlog = Backlog()
    with trio.move_on_after(1):
        await backlog.pull()
    backlog.push(b"kept")
    assert await backlog.pull() == b"kept"


def test_repr_tells_its_state() -> None:
    """For a debugger."""
    backlog = Backlog()
    backlog.push(b"abc")
    assert repr(backlog) == "<Backlog open, 1 frames, 3 bytes>"
    backlog.close()
    assert repr(backlog) == "<Backlog closed, 1 frames, 3 bytes>"


@given(st.lists(st.binary(min_size=1, max_size=2 * limits.READ_CHUNK_BYTES), max_size=20))
def test_what_goes_in_comes_out(frames: list[bytes]) -> None:
    """Nothing is lost, doubled or reordered, and the bytes are counted right."""

    async def drain() -> bytes:
        backlog = Backlog()
        for frame in frames:
            backlog.push(frame)
        backlog.close()
        pieces = []
        while piece := await backlog.pull():
            pieces.append(piece)
        assert repr(backlog).endswith("0 frames, 0 bytes>")
        return b"".join(pieces)

    assert trio.run(drain) == b"".join(frames)


@pytest.mark.refuses("to_clients.MAX_OUTBOUND_NOTES_BYTES")
async def test_a_flood_of_notifications_cuts_nobody_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client does not keep up, some are lost; answers are not, and those that come later are not either."""
    monkeypatch.setattr(limits, "MAX_OUTBOUND_NOTES_BYTES", 100)
    backlog = Backlog(1000)
    for _ in range(10_000):
        backlog.push(b"0123456789", skippable=True)
    backlog.push(b"answer")
    assert not backlog.overflowed
    assert await backlog.pull() == b"0123456789" * 11 + b"answer"
    backlog.push(b"later", skippable=True)
    assert await backlog.pull() == b"later"


@pytest.mark.refuses("to_clients.MAX_LAST_NOTES_BYTES")
async def test_at_its_end_a_flood_no_longer_stands_before_the_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that is to be let go comes to them sooner."""
    monkeypatch.setattr(limits, "MAX_LAST_NOTES_BYTES", 20)
    backlog = Backlog()
    backlog.push(b"first")
    for _ in range(3):
        backlog.push(b"0123456789", skippable=True)
    backlog.push(b"last")
    backlog.close()
    assert repr(backlog) == "<Backlog closed, 2 frames, 9 bytes>"
    assert await backlog.pull() == b"firstlast"


async def test_at_its_end_a_few_notifications_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the answer behind them is."""
    monkeypatch.setattr(limits, "MAX_LAST_NOTES_BYTES", 20)
    backlog = Backlog()
    backlog.push(b"0123456789", skippable=True)
    backlog.push(b"a long answer" * 10)
    backlog.close()
    assert await backlog.pull() == b"0123456789" + b"a long answer" * 10


class Wire:
    """Takes at most `room` bytes of a frame past the queue."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.written: list[bytes] = []

    def write_now(self, frame: bytes) -> int:
        """See `WriteNow`."""
        if self.room < 0:
            raise trio.BrokenResourceError
        self.written.append(frame[: self.room])
        return min(self.room, len(frame))


async def pulled_after(backlog: Backlog, *frames: bytes) -> bytes:
    """What the reader gets, which waits when the frames come."""
    pulled: list[bytes] = []

    async def pull() -> None:
        pulled.append(await backlog.pull())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pull)
        await trio.testing.wait_all_tasks_blocked()
        for frame in frames:
            backlog.push(frame)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return b"".join(pulled)


async def test_one_frame_is_written_at_once_each_time_the_client_was_heard() -> None:
    """It may be the only one; those behind it are gathered."""
    wire = Wire(10)
    backlog = Backlog(write_now=wire.write_now)
    assert await pulled_after(backlog, b"unasked") == b"unasked"
    backlog.heard()
    assert await pulled_after(backlog, b"first", b"second", b"third") == b"secondthird"
    assert wire.written == [b"first"]
    assert await pulled_after(backlog, b"later") == b"later"


@pytest.mark.parametrize("room", [-1, 0, 3])
async def test_what_does_not_go_at_once_waits_in_order(room: int) -> None:
    """Whether the client is slow, or gone."""
    wire = Wire(room)
    backlog = Backlog(write_now=wire.write_now)
    backlog.heard()
    rest = await pulled_after(backlog, b"frame;", b"next")
    assert b"".join(wire.written) + rest == b"frame;next"


async def test_nothing_is_written_at_once_while_frames_wait() -> None:
    """They would be overtaken."""
    wire = Wire(10)
    backlog = Backlog(write_now=wire.write_now)
    backlog.push(b"waits")
    backlog.heard()
    backlog.push(b"behind")
    assert wire.written == []
    assert await backlog.pull() == b"waitsbehind"
