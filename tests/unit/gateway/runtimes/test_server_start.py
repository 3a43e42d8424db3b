"""gateway/runtimes/server_start.py against a real engine: which link a container gets, and what a failed trial leaves."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import msgspec
import pytest
import trio

from gateway import limits
from gateway.catalog.model import ContainerLaunch
from gateway.errors import Gone, StartFailed
from gateway.home import Home
from gateway.options import LinkMode
from gateway.ports import StartRequest
from gateway.runtimes.container_config import HOME_LABEL, Owner
from gateway.runtimes.container_link import ContainerLink
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.link_notes import LinkNote, read_note
from gateway.runtimes.named_pipes import NamedPipes
from gateway.runtimes.ownership import InstanceLock
from tests.cancelling import CancelAtStep
from tests.contracts.test_link import call, read_line
from tests.images.echo import echo_image

pytestmark = pytest.mark.slow

NO_SHELL = "its image has no /bin/sh"


class Rig:
    """Engines under test, and the lines that servers wrote on their stderr."""

    def __init__(self, endpoint: Endpoint, home: Home, instance_id: str, image: str) -> None:
        self.endpoint = endpoint
        self.home = home
        self.instance_id = instance_id
        self.image = image
        self.lines: list[str] = []
        self.engines: list[DockerEngine] = []
        self.fresh()

    def fresh(
        self, mode: LinkMode = "auto", *, home: Home | None = None, in_container: bool = False
    ) -> None:
        """Another gateway takes over: it knows what its home knows."""
        self.engines.append(
            DockerEngine(
                self.endpoint,
                Owner(self.home.identity(), self.instance_id),
                links=LinkChoice(home or self.home, mode),
                in_container=in_container,
                on_stderr=lambda _, line: self.lines.append(line),
            )
        )

    async def start(self, *arguments: str, **changes: object) -> ContainerLink:
        """Starts the echo server with the newest engine."""
        launch = ContainerLaunch(
            image=self.image, command=arguments, memory_bytes=64 * limits.MIB, cpus=0.5, pids=32
        )
        launch = msgspec.structs.replace(launch, disable_network=True, **changes)
        return await self.engines[-1].start(StartRequest(server="s", launch=launch, spec_hash=""))

    async def check(self, link: ContainerLink, kind: str, why: str = "") -> None:
        """It is of that kind, its server answers, and the note says so."""
        assert link.kind == kind
        await link.send_all(call("echo", text="hello"))
        assert b'"hello"' in await read_line(link)
        await link.aclose()
        note = read_note(self.home, "s")
        assert note is not None
        assert note.link == kind
        assert why in note.why
        assert bool(why) == bool(note.why)


@pytest.fixture
async def rig(engine: Endpoint, home: Home, shell_image: str) -> AsyncIterator[Rig]:
    """A gateway's engine with nothing known."""
    lock = InstanceLock.take(home)
    rig = Rig(engine, home, lock.instance_id, shell_image)
    yield rig
    for each in rig.engines:
        await each.aclose()
    assert not list(home.run.glob("*.pipes"))
    lock.release()


@pytest.fixture
def pipes_made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An entry for each trial of named pipes."""
    made: list[str] = []
    make = NamedPipes.make

    def noted(home: Home, instance_id: str) -> NamedPipes:
        made.append(instance_id)
        return make(home, instance_id)

    monkeypatch.setattr(NamedPipes, "make", noted)
    return made


async def test_an_image_with_a_shell(rig: Rig) -> None:
    """Named pipes, and not a word of the shell."""
    await rig.check(await rig.start(), "fifo")
    assert rig.lines == []


async def test_as_any_user(rig: Rig) -> None:
    """The pipes are open to whoever the server runs as."""
    link = await rig.start(user="1234:1235")
    await link.send_all(call("whoami"))
    assert b"1234:1235" in await read_line(link)
    await rig.check(link, "fifo")


async def test_an_image_without_a_shell(rig: Rig, echo_image: str, pipes_made: list[str]) -> None:
    """The attach stream within the same start; tried once, by this gateway and those after it."""
    rig.image = echo_image
    await rig.check(await rig.start(), "attach", NO_SHELL)
    await rig.check(await rig.start(), "attach", NO_SHELL)
    rig.fresh()
    await rig.check(await rig.start(), "attach", NO_SHELL)
    assert len(pipes_made) == 1
    assert rig.lines == []


async def test_a_server_whose_image_gets_a_shell(
    rig: Rig, echo_image: str, shell_image: str
) -> None:
    """What was learned is about an image, not about a server."""
    rig.image = echo_image
    await rig.check(await rig.start(), "attach", NO_SHELL)
    rig.fresh()
    rig.image = shell_image
    await rig.check(await rig.start(), "fifo")


async def test_a_shell_that_never_opens_them(
    rig: Rig, docker_client: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no shell is given up after a while; the server then runs without."""
    monkeypatch.setattr(limits, "FIFO_OPEN_S", 0.3)
    rig.image = echo_image(docker_client, "impostor")
    link = await rig.start("--ignore-eof")
    assert link.kind == "attach"
    await link.kill()
    note = read_note(rig.home, "s")
    assert note == LinkNote("attach", "nothing came through them within 0.3 s")


async def test_a_shell_that_ends(rig: Rig, docker_client: docker.APIClient) -> None:
    """That is noticed at once."""
    rig.image = echo_image(docker_client, "impostor")
    await rig.check(await rig.start(), "attach", "ended before it opened them: it said nothing")


async def test_an_engine_that_does_not_see_our_files(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipes_made: list[str]
) -> None:
    """Its refusal is not the server's fault; the engine is not asked twice."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    # The engine's own current folder has no such thing.
    rig.home = Home(Path("/proc/self/cwd/elsewhere"))
    rig.fresh()
    for _ in range(2):
        await rig.check(await rig.start(), "attach", "bind source path does not exist")
    assert len(pipes_made) == 1
    assert [path.name for path in rig.home.run.iterdir()] == ["id"]


async def test_a_home_without_named_pipes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some shared folders have none."""

    def refuse(path: Path) -> None:
        raise PermissionError(f"not permitted: {path}")

    monkeypatch.setattr(os, "mkfifo", refuse)
    await rig.check(await rig.start(), "attach", "no named pipes can be made in the home")


async def test_a_gateway_in_a_container(rig: Rig, pipes_made: list[str]) -> None:
    """What it calls by a path is not what the engine calls so."""
    rig.fresh(in_container=True)
    link = await rig.start()
    await rig.check(link, "attach", "the gateway itself runs in a container")
    assert pipes_made == []


async def test_variables_that_a_shell_would_drop(rig: Rig) -> None:
    """They reach their server all the same."""
    link = await rig.start(env={"my.setting": "kept"})
    await link.send_all(call("env", name="my.setting"))
    assert b"kept" in await read_line(link)
    await rig.check(link, "attach", "'my.setting'")


async def test_switched_off(rig: Rig, pipes_made: list[str]) -> None:
    """`--link attach`."""
    rig.fresh("attach")
    await rig.check(await rig.start(), "attach", "switched off by --link attach")
    assert pipes_made == []


async def test_insisted_on(rig: Rig, echo_image: str) -> None:
    """`--link fifo` starts nothing that would be reached in another way, and says why."""
    rig.fresh("fifo")
    rig.image = echo_image
    with pytest.raises(StartFailed, match=r"cannot be reached over named pipes .*/bin/sh"):
        await rig.start()


async def test_a_wrong_entry_is_not_blamed_on_the_pipes(rig: Rig) -> None:
    """What fails in both ways teaches nothing, and the error is that of the plain start."""
    with pytest.raises(StartFailed, match="unable to find user"):
        await rig.start(user="no-such-user")
    assert read_note(rig.home, "s") is None
    await rig.check(await rig.start(), "fifo")


async def test_a_command_that_the_image_does_not_have(rig: Rig, real_image: str) -> None:
    """The shell says so, as what starts servers does without it: status 127, and a sentence on stderr."""
    rig.image = real_image
    link = await rig.start("no-such-program")
    assert link.kind == "fifo"
    assert await link.receive_some() == b""
    await link.learn_ending()
    assert link.exit_status() == 127
    assert "no-such-program" in link.stderr_tail()
    await link.aclose()


BOTH_LINKS = pytest.mark.parametrize("mode", ["fifo", "attach"])
OPENS_ANEW = """
with open("/dev/stdin") as lines, open("/dev/stdout", "w") as answers:
    for line in lines:
        print(line, end="", file=answers, flush=True)
"""
HOLDS_OPEN = """
import os, sys, time
if os.fork() == 0:
    time.sleep(60)
sys.stdin.readline()
print("bye", file=sys.stderr, flush=True)
sys.exit(4)
"""


@BOTH_LINKS
async def test_a_server_that_opens_its_stdin_and_stdout_anew(
    rig: Rig, real_image: str, mode: LinkMode
) -> None:
    """Under their names in /dev, as a user who is not root; it sees the end of its input all the same."""
    rig.fresh(mode)
    rig.image = real_image
    link = await rig.start("python3", "-c", OPENS_ANEW, user="1000:1000")
    await link.send_all(b"hello\n")
    assert await read_line(link) == b"hello\n"
    with trio.fail_after(limits.STOP_GRACE_S):
        await link.aclose()


@BOTH_LINKS
async def test_a_child_that_holds_the_output_open(
    rig: Rig, real_image: str, mode: LinkMode
) -> None:
    """The container ends with its server, and so does the child: status and last words are known at once."""
    rig.fresh(mode)
    rig.image = real_image
    link = await rig.start("python3", "-c", HOLDS_OPEN)
    await link.send_all(b"go\n")
    with trio.fail_after(10):
        assert await link.receive_some() == b""
    await link.learn_ending()
    assert link.exit_status() == 4
    assert link.stderr_tail() == "bye\n"
    await link.aclose()


@BOTH_LINKS
async def test_killed_from_outside_while_it_is_asked(
    rig: Rig, docker_client: docker.APIClient, mode: LinkMode
) -> None:
    """`docker kill`: what it had said arrives, then the end and its status."""
    rig.fresh(mode)
    link = await rig.start()
    await link.send_all(call("echo", text="before") + call("sleep", ms=60_000))
    assert b"before" in await read_line(link)
    async with trio.open_nursery() as nursery:
        # Beside it: the engine removes it soon, and then no longer knows its status.
        nursery.start_soon(trio.to_thread.run_sync, docker_client.kill, link.name)
        with trio.fail_after(10):
            assert await link.receive_some() == b""
        await link.learn_ending()
    assert link.exit_status() == 137

    async def write_on() -> None:
        while True:
            await link.send_all(call("echo", text="x" * 10_000))

    with pytest.raises(Gone), trio.fail_after(5):
        await write_on()
    await link.aclose()


@BOTH_LINKS
async def test_much_in_both_directions(rig: Rig, mode: LinkMode) -> None:
    """10 MB there and back, more than any pipe holds."""
    rig.fresh(mode)
    link = await rig.start()
    text = "x" * 10_000_000
    answers: list[bytes] = []

    async def read() -> None:
        answers.append(await read_line(link))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await link.send_all(call("echo", text=text))
    assert text.encode() in answers[0]
    await link.aclose()


@pytest.mark.parametrize("image", ["echo_image", "shell_image"])
async def test_cancelled_at_every_step(
    rig: Rig, docker_client: docker.APIClient, request: pytest.FixtureRequest, image: str
) -> None:
    """Of a trial, and of a trial with what comes after it: nothing is left, whatever was under way."""
    rig.image = request.getfixturevalue(image)
    wanted = {"label": f"{HOME_LABEL}={rig.home.identity()}"}
    for step in range(1, 120):
        rig.fresh()
        rig.home.link("s").unlink(missing_ok=True)
        link: ContainerLink | None = None
        with CancelAtStep(step) as cancelling:
            link = await rig.start()
        if link is not None:
            await link.kill()
        assert docker_client.containers(all=True, filters=wanted) == []
        assert not list(rig.home.run.glob("*.pipes"))
        if not cancelling.reached:
            return
    pytest.fail("a start takes fewer steps than that")
