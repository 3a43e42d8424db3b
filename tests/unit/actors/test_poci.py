"""One container per call: filled, run, answered, given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.call import Call
from actors.poci import PociServer
from gateway.catalog.model import ContainerLaunch, EnabledServer, PociLaunch, PociTool
from gateway.errors import ImageMissing
from gateway.ports import RunOutput, StartRequest
from tests.fakes.house import Answers, Notes, enabled
from tests.fakes.server import raw

TOOL = PociTool(
    "fetch",
    "Fetches",
    '{"type":"object","properties":{"url":{"type":"string"},"args":{"type":"array"}},"required":["url"]}',
    image="curl:1",
    command=("-s", "{{args|into}}", "$TOKEN", "{{url}}"),
    volumes=("{{folder|mount_as:/data}}",),
    user="{{user}}",
)


def poci_server(**pooling: object) -> EnabledServer:
    """An entry with one tool and a secret."""
    launch = PociLaunch(tools=(TOOL,), env={"TOKEN": "t0ken"}, memory_bytes=1, cpus=1.0, pids=1)
    return msgspec.structs.replace(enabled("web", **pooling), launch=launch)


class FakeEngine:
    """Implements `OneShotRuntime`: says "done", or does what the test wants."""

    def __init__(self, work: Callable[[], Awaitable[RunOutput]] | None = None) -> None:
        self.work = work
        self.requests: list[StartRequest] = []
        self.running = 0
        self.removed = 0

    async def run(self, request: StartRequest) -> RunOutput:
        """Runs a container."""
        self.requests.append(request)
        self.running += 1
        try:
            await trio.lowlevel.checkpoint()
            return RunOutput(0, "done", "") if self.work is None else await self.work()
        finally:
            self.running -= 1
            self.removed += 1

    @property
    def launch(self) -> ContainerLaunch:
        """The newest container's."""
        launch = self.requests[-1].launch
        assert isinstance(launch, ContainerLaunch)
        return launch


class Desk:
    """A running `PociServer` with its surroundings."""

    def __init__(self, engine: FakeEngine, **pooling: object) -> None:
        self.engine = engine
        self.notes = Notes()
        self.answers = Answers()
        self.server = PociServer(poci_server(**pooling), engine, reports=self.notes)

    def submit(
        self, owner: str = "session:a", timeout_s: float = 60.0, **arguments: object
    ) -> Call:
        """Calls the tool."""
        call = self.answers.call(owner, timeout_s=timeout_s)
        call.fields = {"name": raw("fetch"), "arguments": raw(arguments)}
        self.server.submit(call)
        return call

    async def text(self, call: Call) -> str:
        """What the call was answered."""
        with trio.fail_after(5):
            while call not in self.answers.ended:
                await self.server.wait_idle()
        return self.answers.text(call)


async def desk_in(
    nursery: trio.Nursery, engine: FakeEngine | None = None, **pooling: object
) -> Desk:
    """A desk whose server runs in the test's nursery."""
    desk = Desk(engine or FakeEngine(), **pooling)
    nursery.start_soon(desk.server.run)
    await wait_all_tasks_blocked()
    return desk


async def test_a_call_is_a_container(nursery: trio.Nursery) -> None:
    """Its arguments fill the templates, its output is the answer."""
    desk = await desk_in(nursery)
    call = desk.submit(url="https://x", args=["-L", "--max-time"], user="1000")
    assert await desk.text(call) == "done"
    assert desk.engine.launch.command == ("-s", "-L", "--max-time", "t0ken", "https://x")
    assert desk.engine.launch.user == "1000"
    assert desk.engine.launch.mounts == ()
    assert desk.engine.launch.env == {"TOKEN": "t0ken"}
    assert desk.engine.requests[0].server == "web"
    assert desk.engine.requests[0].spec_hash == "spec-1"


@pytest.mark.parametrize(
    "url", ["--output /etc/passwd", "a; rm -rf /", "$TOKEN", "{{args}}", "-o\nx"]
)
async def test_an_argument_stays_one_item(nursery: trio.Nursery, url: str) -> None:
    """No shell, no second look by the template language, no variables in what a client says."""
    desk = await desk_in(nursery)
    await desk.text(desk.submit(url=url))
    assert desk.engine.launch.command == ("-s", "t0ken", url)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "'url' is missing"),
        ({"url": 1}, "'url' must be a string"),
        ({"url": "x", "folder": "/etc"}, "/etc"),
        ({"url": "x", "user": "--privileged"}, "user"),
    ],
)
async def test_wrong_arguments_start_nothing(
    nursery: trio.Nursery, arguments: dict[str, object], text: str
) -> None:
    """They are the caller's fault (-32602), named."""
    desk = await desk_in(nursery)
    call = desk.submit(**arguments)
    assert text in await desk.text(call)
    assert desk.answers.ended[call].code == -32602  # type: ignore[union-attr] # a failure
    assert desk.engine.requests == []


async def test_other_methods_and_tools_are_unknown(nursery: trio.Nursery) -> None:
    """There is no server that could answer them."""
    desk = await desk_in(nursery)
    call = desk.answers.call()
    desk.server.submit(call)
    assert "'echo'" in await desk.text(call)
    call = desk.answers.call()
    call.method = "prompts/get"
    desk.server.submit(call)
    assert "tools only" in await desk.text(call)


async def test_a_container_that_cannot_run_fails_its_call(nursery: trio.Nursery) -> None:
    """With the engine's reason, which is kept for people."""

    async def missing() -> RunOutput:
        raise ImageMissing("no image curl:1")

    desk = await desk_in(nursery, FakeEngine(missing))
    assert await desk.text(desk.submit(url="x")) == "no image curl:1"
    assert desk.server.state().last_error == "no image curl:1"


async def test_a_bug_costs_one_call(nursery: trio.Nursery) -> None:
    """The others are served."""

    async def crash() -> RunOutput:
        raise ZeroDivisionError

    desk = await desk_in(nursery, FakeEngine(crash))
    assert "see its log" in await desk.text(desk.submit(url="x"))
    desk.engine.work = None
    assert await desk.text(desk.submit(url="x")) == "done"


async def test_a_deadline_removes_the_container(nursery: trio.Nursery) -> None:
    """The caller is told. On the real clock: links are followed in a thread, which a jumping clock would overtake."""
    desk = await desk_in(nursery, FakeEngine(_forever))
    call = desk.submit(url="x", timeout_s=0.15)
    assert "within 0.15 s" in await desk.text(call)
    assert desk.engine.removed == 1


async def test_a_withdrawn_call_removes_its_container(nursery: trio.Nursery) -> None:
    """The client cancelled: no answer."""
    desk = await desk_in(nursery, FakeEngine(_forever))
    call = desk.submit(url="x")
    await wait_all_tasks_blocked(0.01)
    assert desk.engine.running == 1
    call.withdraw("cancelled")
    assert await desk.text(call) == "withdrawn"
    await desk.server.wait_idle()
    assert desk.engine.running == 0


async def test_an_owner_that_leaves_takes_its_calls_along(nursery: trio.Nursery) -> None:
    """And nobody else's."""
    desk = await desk_in(nursery, FakeEngine(_forever))
    first = desk.submit("session:a", url="x")
    second = desk.submit("session:b", url="x")
    await wait_all_tasks_blocked(0.01)
    desk.server.release("session:a")
    await wait_all_tasks_blocked(0.01)
    assert first in desk.answers.ended
    assert second not in desk.answers.ended
    assert [owner for _, _, owner, _, _ in desk.server.state().containers] == ["session:b"]


async def _running(desk: Desk, count: int) -> None:
    """Waits for so many containers: templates are filled in threads, which take as long as the machine lets them."""
    with trio.fail_after(5):
        while desk.engine.running < count:  # noqa: ASYNC110 -- the fake has no event for it
            await trio.sleep(0.01)


async def test_containers_at_a_time_are_bounded(nursery: trio.Nursery) -> None:
    """`pool.max`; further calls wait."""
    desk = await desk_in(nursery, FakeEngine(_forever), max=2)
    calls = [desk.submit(url="x") for _ in range(3)]
    await _running(desk, 2)
    await wait_all_tasks_blocked(0.01)
    assert desk.engine.running == 2
    desk.server.tune(poci_server(max=3))
    await _running(desk, 3)
    calls[0].withdraw("enough")


async def test_calls_that_come_early_are_served() -> None:
    """Between the decision to run a server and its first task switch; one may even be withdrawn."""
    desk = Desk(FakeEngine())
    call, withdrawn = desk.submit(url="x"), desk.submit(url="y")
    withdrawn.withdraw("changed my mind")
    assert not desk.server.idle()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.server.run)
        assert await desk.text(call) == "done"
        nursery.cancel_scope.cancel()
    assert len(desk.engine.requests) == 1


async def test_the_end_answers_everybody() -> None:
    """Nobody waits for a server that is gone, and no container is left."""
    desk = Desk(FakeEngine(_forever))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.server.run)
        call = desk.submit(url="x")
        await wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    assert "was stopped" in desk.answers.text(call)
    assert desk.engine.running == 0
    assert desk.server.idle()


async def test_kill_ends_what_runs(nursery: trio.Nursery) -> None:
    """At once."""
    desk = await desk_in(nursery, FakeEngine(_forever))
    call = desk.submit(url="x")
    await wait_all_tasks_blocked(0.01)
    await desk.server.kill()
    assert "was stopped" in await desk.text(call)


async def test_lists_are_reported_when_wanted(nursery: trio.Nursery) -> None:
    """And again when the entry changes; no container is started for them."""
    desk = await desk_in(nursery)
    desk.server.want_lists()
    assert desk.notes.lists == {}
    await wait_all_tasks_blocked()
    assert [item.key for item in desk.notes.lists["web"].tools] == ["fetch"]
    desk.notes.lists.clear()
    desk.server.replace(poci_server(), _never_open)
    await wait_all_tasks_blocked()
    assert desk.notes.lists.keys() == {"web"}
    assert desk.engine.requests == []


async def test_repr_and_state(nursery: trio.Nursery) -> None:
    """For people."""
    desk = await desk_in(nursery, FakeEngine(_forever))
    desk.submit(url="x")
    assert repr(desk.server) == "<PociServer web running=1>"
    state = desk.server.state()
    assert state.server == "web"
    assert [row[1:4] for row in state.containers] == [("busy", "session:a", 1)]


async def _forever() -> RunOutput:
    await trio.sleep_forever()
    raise AssertionError


async def _never_open() -> object:
    raise AssertionError
