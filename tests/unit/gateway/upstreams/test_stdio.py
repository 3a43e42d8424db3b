"""The pipe over a link: lines, bounds, and how a server ends."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator

import msgspec
import pytest
import trio
from trio.testing import MockClock

from gateway import limits
from gateway.errors import Gone, Overloaded
from gateway.jsonrpc.messages import Failure, Illegible, Notification, Request, Result
from gateway.upstreams.stdio import StdioPipe
from tests.fakes.memory_link import MemoryLink

PING = Request(1, "ping")
PING_LINE = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
PONG = Result(1, msgspec.Raw(b"{}"))
PONG_LINE = b'{"jsonrpc":"2.0","id":1,"result":{}}\n'


@pytest.fixture
async def link() -> AsyncIterator[MemoryLink]:
    """A link whose other end the test plays."""
    link = MemoryLink()
    yield link
    await link.aclose()
    link.stdin.close()


@pytest.fixture
async def pipe(link: MemoryLink, nursery: trio.Nursery) -> StdioPipe:
    """A running pipe."""
    pipe = StdioPipe(link, server="fake")
    nursery.start_soon(pipe.run)
    await trio.testing.wait_all_tasks_blocked()
    return pipe


async def test_a_message_is_a_line(pipe: StdioPipe, link: MemoryLink) -> None:
    """Nothing more, nothing less."""
    pipe.send(PING)
    assert await link.stdin.receive() == PING_LINE


async def test_what_waits_is_written_at_once(pipe: StdioPipe, link: MemoryLink) -> None:
    """While one write is under way, all others join into the next."""
    for _ in range(10):
        pipe.send(PING)
    assert await link.stdin.receive() == PING_LINE * 10
    assert link.writes == 1


async def test_what_was_written_is_not_kept(
    pipe: StdioPipe, link: MemoryLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be large, and the server idle from now on."""
    rests: list[weakref.ref[memoryview]] = []
    send_all = link.send_all

    async def watched(rest: bytes | memoryview) -> None:
        assert isinstance(rest, memoryview)
        rests.append(weakref.ref(rest))
        await send_all(rest)

    monkeypatch.setattr(link, "send_nowait", lambda _: 1)
    monkeypatch.setattr(link, "send_all", watched)
    pipe.send(PING)
    assert await link.stdin.receive() == PING_LINE[2:]
    await trio.testing.wait_all_tasks_blocked()
    assert [rest() for rest in rests] == [None]


async def test_a_message_that_is_alone_is_written_at_once(
    pipe: StdioPipe, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Without the writer's help, once after each thing that the server said; others are gathered."""
    received: list[bytes] = []

    async def read() -> None:
        received.append(await link.stdin.receive())

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    pipe.send(PING)
    assert link.writes == 1
    pipe.send(PING)
    pipe.send(PING)
    assert link.writes == 1
    assert await link.stdin.receive() == PING_LINE * 2
    assert received == [PING_LINE]


async def test_a_notification_does_not_hold_up_what_follows(
    pipe: StdioPipe, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Nothing comes back for it that would say that the server goes on: the next request is alone all the same."""
    pipe.send(Notification("notifications/initialized"))
    assert b"initialized" in await link.stdin.receive()

    async def read() -> None:
        assert await link.stdin.receive() == PING_LINE

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    pipe.send(PING)
    assert link.writes == 2


async def test_notifications_of_one_moment_are_written_together(
    pipe: StdioPipe, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Nobody waits for one, so however many there are they cost one write; what comes after them stays behind them."""
    received: list[bytes] = []

    async def read() -> None:
        received.append(await link.stdin.receive())

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(3):
        pipe.send(Notification("n"))
    pipe.send(PING)
    assert link.writes == 0
    await trio.testing.wait_all_tasks_blocked()
    assert received == [b'{"jsonrpc":"2.0","method":"n"}\n' * 3 + PING_LINE]


async def test_a_long_frame_is_written_by_itself(pipe: StdioPipe, link: MemoryLink) -> None:
    """Joining would copy it."""
    pipe.send(Notification("n", msgspec.Raw(b'{"x":"%b"}' % (b"x" * limits.WRITE_BATCH_BYTES))))
    pipe.send(PING)
    assert len(await link.stdin.receive()) > limits.WRITE_BATCH_BYTES
    assert await link.stdin.receive() == PING_LINE


async def test_a_server_that_does_not_read_is_overloaded(
    pipe: StdioPipe, link: MemoryLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for it is bounded; once it reads, it is served again."""
    monkeypatch.setattr(limits, "MAX_OUTBOUND_BYTES", 3 * len(PING_LINE))
    pipe.send(PING)
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(3):
        pipe.send(PING)
    with pytest.raises(Overloaded, match="'fake' does not read"):
        pipe.send(PING)
    assert await link.stdin.receive() == PING_LINE
    assert await link.stdin.receive() == PING_LINE * 3
    await trio.testing.wait_all_tasks_blocked()
    pipe.send(PING)


async def test_answers_leave_room_for_calls(
    pipe: StdioPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that asks and never reads gets no more of them; calls still find a place in the queue."""
    monkeypatch.setattr(limits, "MAX_OUTBOUND_NOTES_BYTES", 100)
    await trio.testing.wait_all_tasks_blocked()
    pipe.send(Result(1, msgspec.Raw(b'"%b"' % (b"x" * 60))))
    with pytest.raises(Overloaded):
        pipe.send(Result(2, msgspec.Raw(b"{}")))
    pipe.send(PING)


@pytest.mark.parametrize(
    "chunks",
    [
        [PONG_LINE],
        [PONG_LINE[:10], PONG_LINE[10:]],
        [b"\r\n" + PONG_LINE[:-1] + b"\r\n"],
        [b"Listening ...\n" + PONG_LINE],
        [b'{"level":"info"}\n[]\n[1]\n', PONG_LINE],
        [b"[" + PONG_LINE[:-1] + b"]\n"],
        [b'[{"x":1},' + PONG_LINE[:-1] + b"]\n"],
        [b"[" * 5000 + b"\n" + PONG_LINE],
    ],
)
async def test_messages_are_found_among_what_a_server_prints(
    pipe: StdioPipe, link: MemoryLink, chunks: list[bytes], nursery: trio.Nursery
) -> None:
    """However they are cut, packed, or surrounded."""

    async def play() -> None:
        for chunk in chunks:
            await link.stdout.send(chunk)

    nursery.start_soon(play)
    assert await pipe.receive() == PONG


async def test_a_batch_is_handed_out_in_order(
    pipe: StdioPipe, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Servers of 2025-03-26 may send them."""
    nursery.start_soon(link.stdout.send, b"[" + PONG_LINE[:-1] + b"," + PING_LINE[:-1] + b"]\n")
    assert await pipe.receive() == PONG
    assert await pipe.receive() == PING


@pytest.mark.refuses("from_servers.MAX_FRAME_BYTES")
async def test_a_line_without_end_is_skipped(
    link: MemoryLink, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be as long as it likes; what follows is read."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 100)
    pipe = StdioPipe(link, server="fake")

    async def play() -> None:
        for _ in range(50):
            await link.stdout.send(b"x" * 60)
        await link.stdout.send(b"\n" + PONG_LINE)

    nursery.start_soon(play)
    assert await pipe.receive() == PONG


async def test_rubbish_is_warned_of_once(
    pipe: StdioPipe,
    link: MemoryLink,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that logs to stdout does not flood ours."""
    nursery.start_soon(link.stdout.send, b"log\n" * 20 + PONG_LINE)
    await pipe.receive()
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


async def test_the_last_line_needs_no_end(pipe: StdioPipe, link: MemoryLink) -> None:
    """A server may answer and exit."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.stdout.send, PONG_LINE[:-1])
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(link.stdout.aclose)
        assert await pipe.receive() == PONG


async def test_a_death_is_told_with_status_and_last_words(
    pipe: StdioPipe, link: MemoryLink
) -> None:
    """Whoever waits reads what the server wrote last, on one line; later senders read the same."""
    link.die(3, "Traceback\n  File x\nKeyError: 'TOKEN'\n")
    told = "server 'fake' (mcp-fake-1) exited with status 3; its last words: Traceback File x KeyError: 'TOKEN'"
    for _ in range(2):
        with pytest.raises(Gone) as caught:
            await pipe.receive()
        assert str(caught.value) == told
    with pytest.raises(Gone, match="exited with status 3"):
        pipe.send(PING)


async def test_a_death_without_status_is_told_after_a_moment(
    autojump_clock: MockClock, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Status and stderr travel on other ways; calls wait for them for a moment, and no longer."""
    pipe = await in_use(link, nursery)
    link.stdout.close()
    with pytest.raises(Gone, match=r"closed its output$"):
        await pipe.receive()
    assert trio.current_time() == pytest.approx(limits.LAST_WORDS_WAIT_S)


async def test_a_status_that_comes_soon_is_told(
    autojump_clock: MockClock, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """As soon as it is there."""
    pipe = await in_use(link, nursery)
    link.stdout.close()
    nursery.start_soon(tell_after, link, limits.LAST_WORDS_WAIT_S / 2)
    with pytest.raises(Gone, match="status 137"):
        await pipe.receive()
    assert trio.current_time() == pytest.approx(limits.LAST_WORDS_WAIT_S / 2)


async def test_what_is_learned_later_is_in_the_obituary(
    autojump_clock: MockClock, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Closing waits for it, when all calls have been told."""
    pipe = await in_use(link, nursery)
    assert pipe.obituary() == ""
    link.stdout.close()
    nursery.start_soon(tell_after, link, 10 * limits.LAST_WORDS_WAIT_S)
    with pytest.raises(Gone, match="closed its output"):
        await pipe.receive()
    await pipe.aclose()
    assert pipe.obituary() == (
        "server 'fake' (mcp-fake-1) exited with status 137; its last words: out of memory"
    )


async def test_a_last_message_without_the_end_of_its_line_comes_once(
    pipe: StdioPipe, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Then the end, and not the same again for ever."""
    nursery.start_soon(link.stdout.send, PONG_LINE.rstrip())
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(link.stdout.aclose)
    assert await pipe.receive() == PONG
    link.tell(0)
    with pytest.raises(Gone, match="exited with status 0"):
        await pipe.receive()


async def test_of_a_server_that_never_spoke_all_is_waited_for(
    autojump_clock: MockClock, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Its start has failed: why is all that helps, and nobody is promised an answer at once."""
    pipe = StdioPipe(link, server="fake")
    link.stdout.close()
    nursery.start_soon(tell_after, link, 10 * limits.LAST_WORDS_WAIT_S)
    with pytest.raises(Gone, match="status 137; its last words: out of memory"):
        await pipe.receive()


async def test_a_server_that_was_stopped_has_no_obituary(pipe: StdioPipe) -> None:
    """Nobody wonders how it ended."""
    await pipe.aclose()
    with pytest.raises(Gone, match="was stopped"):
        await pipe.receive()
    assert pipe.obituary() == ""


async def test_a_cancelled_close_closes(
    autojump_clock: MockClock, link: MemoryLink, nursery: trio.Nursery
) -> None:
    """Though there may still be something to be learned."""
    pipe = await in_use(link, nursery)
    link.stdout.close()
    with pytest.raises(Gone):
        await pipe.receive()
    with trio.CancelScope() as scope:
        scope.cancel()
        await pipe.aclose()
    assert scope.cancelled_caught
    assert link.closed == 1


async def in_use(link: MemoryLink, nursery: trio.Nursery) -> StdioPipe:
    """A pipe whose server has said something."""
    pipe = StdioPipe(link, server="fake")
    nursery.start_soon(link.stdout.send, PONG_LINE)
    assert await pipe.receive() == PONG
    return pipe


async def tell_after(link: MemoryLink, delay_s: float) -> None:
    """The engine tells of the end with a delay."""
    await trio.sleep(delay_s)
    link.tell(137, "out of memory")


async def test_last_words_are_short(pipe: StdioPipe, link: MemoryLink) -> None:
    """The end of them; `server inspect` has the rest."""
    link.die(1, "x" * 10_000 + " the end")
    with pytest.raises(Gone, match=r"the end$") as caught:
        await pipe.receive()
    assert len(str(caught.value)) < limits.LAST_WORDS_CHARS + 100
    assert len(pipe.stderr_tail()) > limits.LAST_WORDS_CHARS


async def test_a_server_that_closes_its_stdin_is_stopped(pipe: StdioPipe, link: MemoryLink) -> None:
    """It cannot be asked any more, even if it lives: whoever waits must not wait for the deadline."""
    link.stdin.close()
    pipe.send(PING)
    with pytest.raises(Gone, match="'fake'"):
        await pipe.receive()
    with pytest.raises(Gone, match="no longer reads"):
        pipe.send(PING)
    assert link.closed == 1


async def test_closing_ends_a_write_that_nobody_reads(link: MemoryLink) -> None:
    """The writer does not keep its nursery open."""
    pipe = StdioPipe(link, server="fake")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.run)
        pipe.send(PING)
        await trio.testing.wait_all_tasks_blocked()
        await pipe.aclose()
    with pytest.raises(Gone, match="was stopped"):
        await pipe.receive()


async def test_a_cancelled_writer_sends_nothing_more(link: MemoryLink) -> None:
    """Half a frame may be out: another one after it would be rubbish to the server."""
    pipe = StdioPipe(link, server="fake")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.run)
        pipe.send(PING)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(Gone, match="was stopped"):
        pipe.send(PING)


async def test_repr_shows_what_waits(link: MemoryLink) -> None:
    """Bytes not yet taken by the server."""
    pipe = StdioPipe(link, server="fake")
    pipe.send(PING)
    assert repr(pipe) == f"<StdioPipe fake over mcp-fake-1: open, {len(PING_LINE)} bytes queued>"


async def test_a_server_that_ends_while_it_is_written_to_is_said_to_have_ended(
    pipe: StdioPipe, link: MemoryLink, autojump_clock: MockClock
) -> None:
    """Whoever meets the broken pipe first must not close it before it is known how the server ended."""
    link.stdin.close()
    pipe.send(PING)
    await trio.testing.wait_all_tasks_blocked()
    assert link.closed == 0
    link.die(7)
    with pytest.raises(Gone, match="exited with status 7"):
        await pipe.receive()


@pytest.mark.refuses("from_servers.MAX_FRAME_BYTES")
@pytest.mark.parametrize(
    ("frame", "answered"),
    [
        (b'{"jsonrpc":"2.0","id":1,"result":%b}', 1),
        (b'{"result":%b,"jsonrpc":"2.0","id":1}', 1),
        (b'{"jsonrpc":"2.0","result":%b,"id":1,"x":1}', None),
    ],
)
async def test_an_answer_that_is_too_long_is_told_of(
    link: MemoryLink,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    frame: bytes,
    answered: int | None,
) -> None:
    """Once it has ended, for whoever waits for it; the next one is read."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 2 * limits.READ_CHUNK_BYTES)
    pipe = StdioPipe(link, server="fake")
    nursery.start_soon(pipe.run)
    line = frame % (b'{"x":"%b"}' % (b"x" * 3 * limits.READ_CHUNK_BYTES))

    async def write() -> None:
        for start in range(0, len(line), limits.READ_CHUNK_BYTES):
            await link.stdout.send(line[start : start + limits.READ_CHUNK_BYTES])
        await link.stdout.send(b"\n" + PONG_LINE)

    nursery.start_soon(write)
    failure = await pipe.receive()
    assert isinstance(failure, Failure)
    assert isinstance(failure, Illegible) is (answered is None)
    assert failure.id == answered
    assert "server 'fake' sent an answer that cannot be read: it is longer than" in failure.message
    assert await pipe.receive() == PONG
