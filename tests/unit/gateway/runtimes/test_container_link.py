"""gateway/runtimes/container_link.py over attach streams in memory: order and time of closing, and every cancel."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.errors import EngineUnreachable, Gone
from gateway.runtimes.container_link import ContainerLink
from gateway.runtimes.link_attach import AttachStream
from gateway.runtimes.stderr_tail import StderrTail
from tests.unit.gateway.runtimes.test_stdcopy import frame


class FakeContainer:
    """A container that ends when told to, and notes what it was told."""

    name = "mcp-x-1"

    def __init__(
        self, theirs: trio.StapledStream, *, ends_on: str = "eof", removable: bool = True
    ) -> None:
        self._theirs = theirs
        self._ends_on = ends_on
        self._removable = removable
        self.told: list[str] = []
        self.ended = trio.Event()

    async def live(self) -> None:
        """Reads its stdin to the end."""
        while await self._theirs.receive_some():
            pass
        if self._ends_on == "eof":
            self.end()

    def end(self) -> None:
        """Ends, and with it the stream."""
        self._theirs.send_stream.close()
        self.ended.set()

    async def exit_status(self) -> int | None:
        """Five, at the end."""
        self.told.append("wait")
        await self.ended.wait()
        return 5

    async def terminate(self) -> None:
        """Ends if it is of that kind."""
        self.told.append("TERM")
        if self._ends_on == "TERM":
            self.end()
        if self._ends_on == "error":
            raise EngineUnreachable("gone")

    async def remove(self) -> None:
        """Ends in any case."""
        await trio.lowlevel.checkpoint()
        self.told.append("remove")
        self.end()
        if not self._removable:
            raise EngineUnreachable("gone")


class FullStream(trio.abc.Stream):
    """A stream without half-close, as TLS has it."""

    def __init__(self, inner: trio.StapledStream) -> None:
        self._inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As the inner stream."""
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the inner stream."""
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """As the inner stream."""
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        """As the inner stream."""
        await self._inner.aclose()


class World:
    """A link and the container behind it."""

    def __init__(
        self, nursery: trio.Nursery, *, half_close: bool = True, **container: object
    ) -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        self.theirs = theirs
        self.container = FakeContainer(theirs, **container)
        self.stream = AttachStream(ours if half_close else FullStream(ours))
        self.link = ContainerLink(self.stream, self.container, StderrTail("x"))
        nursery.start_soon(self.container.live)


async def test_close_of_a_well_behaved_server(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """The end of its input is enough: no signal, no grace spent, then the removal."""
    world = World(nursery)
    await world.link.aclose()
    assert world.container.told == ["remove"]
    assert trio.current_time() < 0.1


async def test_close_of_one_that_needs_term(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """After the grace comes SIGTERM."""
    world = World(nursery, ends_on="TERM")
    start = trio.current_time()
    await world.link.aclose()
    assert world.container.told == ["TERM", "remove"]
    assert trio.current_time() - start == pytest.approx(limits.STOP_GRACE_S, abs=0.1)


async def test_close_of_one_that_ignores_all(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """After both graces it is removed by force, and within 4.5 s of it all."""
    world = World(nursery, ends_on="nothing")
    start = trio.current_time()
    await world.link.aclose()
    assert world.container.told == ["TERM", "remove"]
    assert trio.current_time() - start <= 4.5


async def test_close_without_half_close(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Over TLS the stream is closed instead, and the engine says when the server has ended."""
    world = World(nursery, half_close=False)
    await world.link.aclose()
    assert world.container.told == ["wait", "remove"]
    assert trio.current_time() < 0.1


async def test_close_when_the_engine_is_gone(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A removal that fails is left to the reaper: closing never raises."""
    world = World(nursery, ends_on="error", removable=False)
    await world.link.aclose()
    assert world.container.told == ["TERM", "remove"]
    assert await world.link.receive_some() == b""


async def test_output_is_drained_while_closing(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A server that still has much to say before it ends is not blocked by nobody reading."""
    world = World(nursery)
    await world.theirs.send_all(frame(1, b"x" * 1_000_000))
    await world.link.aclose()
    assert world.container.told == ["remove"]


async def test_a_reader_goes_on_reading_while_closing(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """The owner's reader and the draining take turns; neither is refused."""
    world = World(nursery, ends_on="TERM")
    ends: list[bytes] = []

    async def read() -> None:
        while chunk := await world.link.receive_some():
            ends.append(chunk)
        ends.append(b"")

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    await world.link.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert ends == [b""]


@pytest.mark.parametrize("steps", range(12))
async def test_cancel_anywhere_in_close(
    steps: int, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Wherever the caller is cancelled, the container is removed and the cancellation delivered."""
    world = World(nursery, ends_on="TERM")
    with trio.CancelScope() as scope:
        nursery.start_soon(_cancel_after, steps, scope)
        await world.link.aclose()
    assert world.container.told[-1] == "remove"
    await world.link.aclose()


async def _cancel_after(steps: int, scope: trio.CancelScope) -> None:
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_cancelled_read_loses_nothing(nursery: trio.Nursery) -> None:
    """What arrives after a cancelled read is read by the next."""
    world = World(nursery)
    with trio.move_on_after(0):
        await world.link.receive_some()
    await world.theirs.send_all(frame(1, b"late"))
    assert await world.link.receive_some() == b"late"
    await world.link.aclose()


async def test_the_end_brings_the_status(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """At the end of the stream the engine is asked, once, by who wants to know."""
    world = World(nursery)
    await world.theirs.send_all(frame(2, b"bye"))
    world.container.end()
    assert await world.link.receive_some() == b""
    assert world.link.exit_status() is None
    for _ in range(2):
        await world.link.learn_ending()
    assert world.link.exit_status() == 5
    assert world.link.stderr_tail() == "bye"
    assert world.container.told == ["wait"]
    await world.link.aclose()


async def test_a_status_that_does_not_come_is_not_waited_for(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A server that closes its output and lives on ends the link all the same, at once and without a status."""
    world = World(nursery, ends_on="nothing")
    world.theirs.send_stream.close()
    assert await world.link.receive_some() == b""
    assert trio.current_time() == 0
    await world.link.learn_ending()
    assert world.link.exit_status() is None
    assert trio.current_time() == pytest.approx(limits.ENDING_S)
    await world.link.aclose()


async def test_the_end_wakes_a_writer(nursery: trio.Nursery) -> None:
    """A write that waits when the server ends is Gone: the engine itself would let it wait for ever."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    container = FakeContainer(theirs)
    link = ContainerLink(AttachStream(ours), container, StderrTail("x"))
    outcome: list[str] = []

    async def write() -> None:
        try:
            await link.send_all(b"x")
        except Gone as error:
            outcome.append(str(error))

    nursery.start_soon(write)
    await trio.testing.wait_all_tasks_blocked()
    container.end()
    assert await link.receive_some() == b""
    await trio.testing.wait_all_tasks_blocked()
    assert outcome == ["container mcp-x-1 no longer reads its input"]
    await link.aclose()


async def test_repr_says_how_far_it_is(nursery: trio.Nursery) -> None:
    """The container and the state, for logs and debuggers."""
    world = World(nursery)
    assert repr(world.link) == "<ContainerLink mcp-x-1 over attach: open>"
    await world.link.aclose()
    assert repr(world.link) == "<ContainerLink mcp-x-1 over attach: closed>"
