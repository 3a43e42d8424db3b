"""What every link must do, whatever carries its bytes: ports.Link and ports.Runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from gateway.catalog.model import ContainerLaunch, Mount, ProcessLaunch
from gateway.errors import Gone, StartFailed
from gateway.home import Home
from gateway.ports import Link, Runtime, StartRequest
from gateway.runtimes.container_config import Owner
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.ownership import InstanceLock
from gateway.runtimes.process import ProcessRuntime
from tests.fakes.runtime import (
    FakeRuntime,
    deaf_server,
    echo_server,
    exiting_server,
)

MEMORY = 64 * 1024 * 1024


class Kind:
    """One implementation: a runtime, and how to ask it for the echo server in one of its moods."""

    def __init__(
        self, runtime: Runtime, request: Callable[..., StartRequest], lines: list[tuple[str, str]]
    ) -> None:
        self.runtime = runtime
        self.request = request
        self.lines = lines

    async def start(self, *arguments: str) -> Link:
        """Starts it with the C server's arguments."""
        return await self.runtime.start(self.request(*arguments))


@pytest.fixture(
    params=[
        "memory",
        pytest.param("process", marks=pytest.mark.slow),
        pytest.param("attach", marks=[pytest.mark.slow, pytest.mark.engine]),
        pytest.param("fifo", marks=[pytest.mark.slow, pytest.mark.engine]),
    ]
)
async def kind(
    request: pytest.FixtureRequest, home: Home, nursery: trio.Nursery
) -> AsyncIterator[Kind]:
    """Each implementation in turn."""
    lines: list[tuple[str, str]] = []

    def note(server: str, line: str) -> None:
        lines.append((server, line))

    match request.param:
        case "memory":
            yield Kind(_fakes(nursery, note), lambda *given: _named(given), lines)
        case "process":
            lock = InstanceLock.take(home)
            binary = request.getfixturevalue("echo_binary")
            runtime = ProcessRuntime(home, lock.instance_id, on_stderr=note)
            yield Kind(runtime, lambda *given: _process(binary, given), lines)
            assert not list(home.run.glob("*.process"))
            lock.release()
        case _:
            lock = InstanceLock.take(home)
            image = request.getfixturevalue("shell_image")
            owner = Owner(home.identity(), lock.instance_id)
            links = LinkChoice(home, request.param)
            engine = DockerEngine(
                request.getfixturevalue("engine"), owner, links=links, on_stderr=note
            )
            yield Kind(engine, lambda *given: _container(image, given), lines)
            await engine.aclose()
            assert not list(home.run.glob("*.pipes"))
            lock.release()


def _fakes(nursery: trio.Nursery, note: Callable[[str, str], None]) -> FakeRuntime:
    servers = {
        "echo": echo_server,
        "echo--ignore-eof": deaf_server,
        "echo--exit=7": exiting_server(7),
    }
    return FakeRuntime(nursery, servers, on_stderr=note)


def _named(arguments: tuple[str, ...]) -> StartRequest:
    name = "echo" + "".join(arguments)
    return StartRequest(server=name, launch=ProcessLaunch(command=("fake",)), spec_hash="s")


def _process(binary: Path, arguments: tuple[str, ...]) -> StartRequest:
    launch = ProcessLaunch(command=(str(binary), *arguments))
    return StartRequest(server="echo", launch=launch, spec_hash="s")


def _container(image: str, arguments: tuple[str, ...]) -> StartRequest:
    launch = ContainerLaunch(image=image, command=arguments, memory_bytes=MEMORY, cpus=1.0, pids=64)
    return StartRequest(server="echo", launch=launch, spec_hash="s")


def call(tool: str, **arguments: object) -> bytes:
    """A `tools/call` on one line."""
    params = {"name": tool, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return msgspec.json.encode(body) + b"\n"


async def read_line(link: Link) -> bytes:
    """One whole line, or what there is at the end."""
    received = b""
    while not received.endswith(b"\n") and (chunk := await link.receive_some()):
        received += chunk
    return received


async def read_end(link: Link) -> bytes:
    """Everything to the end."""
    received = b""
    while chunk := await link.receive_some():
        received += chunk
    return received


async def test_answers_come_back(kind: Kind) -> None:
    """What is written reaches the server, and its answer comes back whole."""
    link = await kind.start()
    await link.send_all(call("echo", text="hello"))
    assert b'"hello"' in await read_line(link)
    await link.aclose()


async def test_frames_longer_than_any_buffer_pass(kind: Kind) -> None:
    """A megabyte in each direction arrives as it was sent."""
    link = await kind.start()
    text = "x" * 1_000_000
    answer = b""

    async def read() -> None:
        nonlocal answer
        answer = await read_line(link)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await link.send_all(call("echo", text=text))
    assert text.encode() in answer
    await link.aclose()


async def test_without_waiting_goes_what_there_is_room_for(kind: Kind) -> None:
    """What is taken arrives; a server that does not read takes no more at some point, and nothing breaks."""
    link = await kind.start()
    line = call("echo", text="hello")
    if taken := link.send_nowait(line):
        assert taken == len(line)
    else:
        await link.send_all(line)
    assert b'"hello"' in await read_line(link)
    await link.aclose()
    with pytest.raises(Gone):
        await link.send_all(line[link.send_nowait(line) :])


async def test_says_what_it_is(kind: Kind) -> None:
    """Name and kind are there for people; there is no exit status while the server runs."""
    link = await kind.start()
    assert link.name
    assert link.kind in {"memory", "pipe", "attach", "fifo"}
    assert link.exit_status() is None
    await link.aclose()


async def test_end_is_final_and_tells_the_status(kind: Kind) -> None:
    """After the server's end every read gives b"" at once, and the exit status can be learned."""
    link = await kind.start()
    await link.send_all(call("crash", status=9))
    assert await read_end(link) == b""
    await link.learn_ending()
    assert link.exit_status() == 9
    assert await link.receive_some() == b""
    await link.aclose()


async def test_server_that_exits_at_once(kind: Kind) -> None:
    """A server that ends before it was spoken to is an end, not an error of the start."""
    link = await kind.start("--exit=7")
    assert await read_end(link) == b""
    await link.learn_ending()
    assert link.exit_status() == 7
    await link.aclose()


async def test_writing_to_a_server_that_is_gone(kind: Kind) -> None:
    """Sooner or later a write says Gone, and never anything else."""
    link = await kind.start("--exit=7")
    await read_end(link)

    async def write_on() -> None:
        while True:
            await link.send_all(call("echo", text="x" * 10_000))

    with pytest.raises(Gone), trio.fail_after(5):
        await write_on()
    await link.aclose()


async def test_stderr_is_kept_and_told_line_by_line(kind: Kind) -> None:
    """What is said on stderr is in the tail and, line by line, at the sink; it never mixes with stdout."""
    link = await kind.start()
    await link.send_all(call("stderr", text="trouble"))
    await link.send_all(call("crash", status=3))
    assert b"trouble" not in await read_end(link)
    await link.learn_ending()
    assert "trouble\n" in link.stderr_tail()
    assert [line for _, line in kind.lines] == ["trouble", "crashing as told"]
    await link.aclose()


async def test_close_is_idempotent(kind: Kind) -> None:
    """Closing twice, one after the other and at once, does no harm; reads then give the end."""
    link = await kind.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.aclose)
        nursery.start_soon(link.aclose)
    await link.aclose()
    assert await link.receive_some() == b""
    with pytest.raises(Gone):
        await link.send_all(b"x\n")


async def test_close_wakes_the_reader(kind: Kind) -> None:
    """A reader that waits while the link is closed sees the end."""
    link = await kind.start()
    seen: list[bytes] = []

    async def read() -> None:
        seen.append(await link.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await link.aclose()
    assert seen == [b""]


async def test_close_is_completed_when_cancelled(kind: Kind) -> None:
    """A cancelled caller still leaves nothing: the close takes its course, then the cancellation is delivered."""
    link = await kind.start()
    with trio.CancelScope() as scope:
        scope.cancel()
        await link.aclose()
    assert scope.cancelled_caught
    assert await link.receive_some() == b""


async def test_kill_is_at_once(kind: Kind) -> None:
    """A server that ignores everything is gone in well under the grace."""
    link = await kind.start("--ignore-eof")
    with trio.fail_after(1.2):
        await link.kill()
    assert await link.receive_some() == b""
    await link.aclose()


async def test_kill_overtakes_a_patient_close(kind: Kind) -> None:
    """`kill` ends a server that `aclose` is being patient with, and `aclose` returns."""
    link = await kind.start("--ignore-eof")
    with trio.fail_after(1.5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.aclose)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await link.kill()


async def test_start_of_what_is_not_there(kind: Kind) -> None:
    """What cannot be started is StartFailed, in a sentence that says which part is wrong."""
    request = kind.request()
    match kind.runtime:
        case FakeRuntime():
            kind.runtime.failures["echo"] = StartFailed("echo could not be started: as told")
            launch = request.launch
        case ProcessRuntime():
            launch = ProcessLaunch(command=("/no/such/program",))
        case _:
            missing = Mount(source="/no/such/folder", target="/data", bind=True)
            launch = msgspec.structs.replace(request.launch, mounts=(missing,))
    with pytest.raises(StartFailed, match=r"echo could not|/no/such/folder"):
        await kind.runtime.start(msgspec.structs.replace(request, launch=launch))
