"""gateway/runtimes/link_fifo.py over real pipes and a socket: opening, reading, and each way in which it can end."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.home import Home
from gateway.runtimes.fifo_config import MARK
from gateway.runtimes.link_attach import AttachStream
from gateway.runtimes.link_fifo import FifoStream, NotOpened
from gateway.runtimes.named_pipes import NamedPipes
from tests.unit.gateway.runtimes.test_stdcopy import frame


class World:
    """A stream, and the container's ends of all that it is made of."""

    def __init__(self, home: Home) -> None:
        ours, self.engine = socket.socketpair()
        side = AttachStream(trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
        self.pipes = NamedPipes.make(home, "0" * 32)
        self.stream = FifoStream(self.pipes, side)
        self.stdin = self.stdout = -1

    def open(self) -> None:
        """What the container's shell does."""
        self.stdin = os.open(self.pipes.stdin_path, os.O_RDONLY | os.O_NONBLOCK)
        self.stdout = os.open(self.pipes.stdout_path, os.O_WRONLY)
        os.write(self.stdout, MARK)

    async def begin(self) -> None:
        """A container that has opened its pipes."""
        self.open()
        await self.stream.wait_opened()

    def say(self, text: bytes) -> None:
        """Writes on stderr."""
        self.engine.send(frame(2, text))

    def close_stdout(self) -> None:
        """Closes stdout, and lives."""
        os.close(self.stdout)
        self.stdout = -1

    def end(self) -> None:
        """The container's end: the kernel closes its pipes, then the engine its stream."""
        for descriptor in (self.stdin, self.stdout):
            if descriptor >= 0:
                os.close(descriptor)
        self.stdin = self.stdout = -1
        self.engine.close()


@pytest.fixture
def world(home: Home) -> Iterator[World]:
    """A container that was started, and has done nothing yet."""
    world = World(home)
    yield world
    world.end()
    assert world.stream.ended
    assert not list(home.run.iterdir())


async def test_bytes_pass_both_ways(world: World) -> None:
    """The mark is not among them."""
    await world.begin()
    assert world.stream.send_nowait(b"ask") == 3
    await world.stream.send_all(b"ing")
    assert os.read(world.stdin, 100) == b"asking"
    os.write(world.stdout, b"answer")
    assert await world.stream.receive() == (b"answer", b"")
    await world.stream.aclose()


async def test_names_are_gone_once_it_is_open(world: World, home: Home) -> None:
    """So that nothing is left, whatever kills us later."""
    await world.begin()
    assert not list(home.run.iterdir())
    await world.stream.aclose()


async def test_a_container_that_never_opens_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another kernel, another file system: nothing comes, and soon it is given up."""
    monkeypatch.setattr(limits, "FIFO_OPEN_S", 0.05)
    with pytest.raises(NotOpened, match="nothing came through") as caught:
        await world.stream.wait_opened()
    assert not caught.value.died
    await world.stream.aclose()


async def test_a_container_that_ends_instead(world: World) -> None:
    """It says why; that is no stderr of the server."""
    world.say(b"exec /bin/sh failed\n")
    world.end()
    with pytest.raises(NotOpened, match="exec /bin/sh failed") as caught:
        await world.stream.wait_opened()
    assert caught.value.died
    await world.stream.aclose()


async def test_a_server_that_opens_them_and_ends_at_once(world: World) -> None:
    """That is a server's end, not a failed trial; all it has said arrives."""
    world.open()
    os.write(world.stdout, b"only this")
    world.say(b"and that")
    world.end()
    await world.stream.wait_opened()
    heard = [await world.stream.receive() for _ in range(3)]
    assert heard == [(b"", b"and that"), (b"only this", b""), (b"", b"")]
    while not world.stream.ended:
        assert await world.stream.receive() == (b"", b"")


async def test_stderr_is_heard_while_stdout_is_silent(world: World) -> None:
    """Both wait behind one descriptor."""
    await world.begin()
    world.say(b"trouble")
    assert await world.stream.receive() == (b"", b"trouble")
    await world.stream.aclose()


async def test_stderr_is_heard_while_stdout_never_pauses(world: World) -> None:
    """A server that fills both is not left blocked on its stderr."""
    await world.begin()
    world.say(b"trouble")
    said = b""
    for _ in range(40):
        os.write(world.stdout, b"x")
        out, err = await world.stream.receive()
        assert out == b"x"
        said += err
    assert said == b"trouble"
    await world.stream.aclose()


async def test_last_words_come_before_the_end(world: World, nursery: trio.Nursery) -> None:
    """Stderr takes the way through the engine, and is waited for when stdout has ended."""
    await world.begin()
    world.close_stdout()
    heard: list[bytes] = []

    async def read() -> None:
        while not world.stream.ended:
            heard.append((await world.stream.receive())[1])

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    assert not world.stream.ended
    world.say(b"because of this")
    await trio.testing.wait_all_tasks_blocked()
    world.end()
    with trio.fail_after(1):
        while not world.stream.ended:
            await trio.testing.wait_all_tasks_blocked()
    assert b"".join(heard) == b"because of this"


async def test_the_end_of_stdout_does_not_wait_for_that_of_stderr(world: World) -> None:
    """Which may be long in coming: calls are told at once."""
    await world.begin()
    world.close_stdout()
    assert await world.stream.receive() == (b"", b"")
    assert world.stream.stdout_ended
    assert not world.stream.ended
    world.say(b"still here")
    assert await world.stream.receive() == (b"", b"still here")
    assert not world.stream.ended
    await world.stream.aclose()


async def test_being_asked_to_end_closing_stdout_is_not_enough(
    world: World, nursery: trio.Nursery
) -> None:
    """A server that cleans up after the end of its input gets its whole grace."""
    await world.begin()
    assert await world.stream.send_eof()
    assert os.read(world.stdin, 10) == b""
    world.close_stdout()
    with trio.move_on_after(0.7) as patience:
        while not world.stream.ended:
            await world.stream.receive()
    assert patience.cancelled_caught
    world.end()
    while not world.stream.ended:
        await world.stream.receive()


async def test_the_end_of_the_container_is_the_end_though_a_pipe_is_held_open(
    world: World,
) -> None:
    """The engine's word counts; what was written before is read."""
    await world.begin()
    os.write(world.stdout, b"last")
    world.engine.close()
    heard = b""
    while not world.stream.ended:
        heard += (await world.stream.receive())[0]
    assert heard == b"last"


async def test_a_server_that_never_reads(world: World, nursery: trio.Nursery) -> None:
    """The pipe fills, nothing more goes at once, and a write that waits is woken by the end."""
    await world.begin()
    taken = world.stream.send_nowait(b"x" * 1_000_000)
    assert 0 < taken < 1_000_000
    assert world.stream.send_nowait(b"y") == 0
    ends: list[type[Exception]] = []

    async def write() -> None:
        try:
            await world.stream.send_all(b"z")
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            ends.append(type(error))

    nursery.start_soon(write)
    await trio.testing.wait_all_tasks_blocked()
    os.close(world.stdin)
    world.stdin = -1
    with trio.fail_after(1):
        while not ends:
            await trio.testing.wait_all_tasks_blocked()
    assert ends == [trio.BrokenResourceError]
    await world.stream.aclose()


@pytest.mark.parametrize("how", ["send_eof", "aclose"])
async def test_closing_wakes_reader_and_writer(
    world: World, nursery: trio.Nursery, how: str
) -> None:
    """Whoever waits, for whatever; after `send_eof` only who writes."""
    await world.begin()
    world.stream.send_nowait(b"x" * 1_000_000)
    woken: list[str] = []

    async def write() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await world.stream.send_all(b"z")
        woken.append("writer")

    async def read() -> None:
        assert await world.stream.receive() == (b"", b"")
        woken.append("reader")

    nursery.start_soon(write)
    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    await getattr(world.stream, how)()
    await trio.testing.wait_all_tasks_blocked()
    assert "writer" in woken
    assert ("reader" in woken) == (how == "aclose")
    await world.stream.aclose()


async def test_what_is_closed_takes_nothing(world: World) -> None:
    """Whatever number its descriptors had."""
    await world.begin()
    await world.stream.aclose()
    await world.stream.aclose()
    with pytest.raises(trio.BrokenResourceError):
        world.stream.send_nowait(b"x")
    with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
        await world.stream.send_all(b"x")


async def test_much_at_once_leaves_turns_to_others(world: World, nursery: trio.Nursery) -> None:
    """A server that fills its pipe faster than it is read holds up nobody."""
    await world.begin()
    os.set_blocking(world.stdout, False)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    nursery.start_soon(other)
    reads = 0
    for _ in range(50):
        with suppress(BlockingIOError):
            os.write(world.stdout, b"x" * limits.READ_CHUNK_BYTES)
        await world.stream.receive()
        reads += 1
    nursery.cancel_scope.cancel()
    await world.stream.aclose()
    assert turns >= reads


async def test_a_cancelled_read_loses_nothing(world: World) -> None:
    """What comes later is read later."""
    await world.begin()
    with trio.move_on_after(0):
        await world.stream.receive()
    os.write(world.stdout, b"late")
    assert await world.stream.receive() == (b"late", b"")
    await world.stream.aclose()
