"""Calls whose outcome is unknown: how often servers execute them, by what is switched on and what their tools say.

The fourth invariant of docs/reliability.md, at the server's end: executions are counted there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.jsonrpc.messages import Message, Request, Result
from tests.fakes.house import FakeBackend
from tests.fakes.server import FakeServer, raw, tool
from tests.unit.actors.test_session import World
from tests.unit.actors.test_stateless import Modern

CALL = "tools/call"
TOOLS = (
    tool("reads", annotations={"readOnlyHint": True}),
    tool("sets", annotations={"idempotentHint": True, "readOnlyHint": False}),
    tool("adds", annotations={"readOnlyHint": False, "idempotentHint": False}),
    tool("silent"),
    tool("odd", annotations={"readOnlyHint": "true"}),
)


class Mortal(FakeServer):
    """May die of a call that it has executed, and do something before: its backend says."""

    def __init__(self, backend: Deadly) -> None:
        super().__init__(*TOOLS)
        self._backend = backend
        self.scripts[CALL] = self._call

    def _call(self, request: Request) -> Message | None:
        if not self._backend.deaths:
            return self._answer(request)
        self._backend.deaths -= 1
        self._backend.before(self, request)
        self.die("exit status 137")
        return None


class Deadly(FakeBackend):
    """Opens servers that die of calls as long as there are `deaths` left."""

    def __init__(
        self,
        deaths: int = 1,
        before: Callable[[FakeServer, Request], None] = lambda _server, _call: None,
    ) -> None:
        super().__init__(lambda: Mortal(self))
        self.deaths = deaths
        self.before = before

    @property
    def executed(self) -> int:
        """How many calls reached a server."""
        return sum(len(server.requests(CALL)) for server in self.opened)


@pytest.fixture
def world(
    nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path
) -> Callable[..., Awaitable[World]]:
    """Builds a world with one server, whose lists are known."""

    async def build(backend: FakeBackend, **rules: Any) -> World:
        house = World(nursery, tmp_path)
        house.serve("fake", backend, **rules)
        await house.listings.wait_complete(5)
        return house

    return build


@pytest.mark.parametrize(
    ("name", "retry", "executed"),
    [
        ("reads", True, 2),
        ("sets", True, 2),
        ("adds", True, 1),
        ("silent", True, 1),
        ("odd", True, 1),
        ("reads", False, 1),
        ("sets", False, 1),
    ],
)
@pytest.mark.parametrize("isolation", ["session", "call", "shared"])
async def test_a_call_is_executed_twice_only_where_that_is_allowed(
    world: Callable[..., Awaitable[World]],
    name: str,
    *,
    retry: bool,
    executed: int,
    isolation: str,
) -> None:
    """Switched on, and annotated so: its client gets an answer. Otherwise it is told that the outcome is unknown."""
    backend = Deadly()
    house = await world(backend, retry=retry, isolation=isolation)
    stream = house.client().ask(CALL, name=name)
    await wait_all_tasks_blocked()
    assert backend.executed == executed
    if executed == 2:
        assert stream.answer["result"]["content"][0]["text"] == "fake says hello"
    else:
        text = "exit status 137; the call's outcome is unknown"
        assert stream.answer["error"]["message"] == text


@pytest.mark.parametrize(("name", "executed"), [("reads", 2), ("adds", 1)])
async def test_a_modern_clients_call_is_retried_too(
    world: Callable[..., Awaitable[World]], name: str, executed: int
) -> None:
    """Under the same rule."""
    backend = Deadly()
    house = await world(backend, retry=True)
    stream = Modern(house).ask(CALL, name=name)
    await wait_all_tasks_blocked()
    assert backend.executed == executed
    assert ("result" in stream.answer) is (executed == 2)


async def test_a_call_is_retried_once(world: Callable[..., Awaitable[World]]) -> None:
    """A server that dies of it again is the end of it."""
    backend = Deadly(deaths=9)
    house = await world(backend, retry=True)
    stream = house.client().ask(CALL, name="reads")
    await wait_all_tasks_blocked()
    assert backend.executed == 2
    assert "the call's outcome is unknown" in stream.answer["error"]["message"]


async def test_a_retry_is_logged(
    world: Callable[..., Awaitable[World]], caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason, once."""
    house = await world(Deadly(), retry=True)
    house.client().ask(CALL, name="reads")
    await wait_all_tasks_blocked()
    assert caplog.text.count("call_retried") == 1


def _progress(server: FakeServer, call: Request) -> None:
    server.notify("notifications/progress", {"progressToken": call.id, "progress": 1})


def _question(server: FakeServer, _call: Request) -> None:
    server.ask(Request("q", "roots/list"))


@pytest.mark.parametrize("before", [_progress, _question])
async def test_what_its_client_has_heard_of_is_not_repeated(
    world: Callable[..., Awaitable[World]], before: Callable[[FakeServer, Request], None]
) -> None:
    """Progress would begin anew, and a person would be asked twice."""
    backend = Deadly(deaths=9, before=before)
    house = await world(backend, retry=True)
    stream = house.client(roots={}).ask(CALL, name="reads", _meta={"progressToken": "p"})
    await wait_all_tasks_blocked()
    assert backend.executed == 1
    assert "the call's outcome is unknown" in stream.answer["error"]["message"]


async def test_a_task_is_not_repeated(world: Callable[..., Awaitable[World]]) -> None:
    """It may be there already."""
    backend = Deadly()
    house = await world(backend, retry=True)
    stream = house.client().ask(CALL, name="reads", task={})
    await wait_all_tasks_blocked()
    assert backend.executed == 1
    assert "error" in stream.answer


@pytest.mark.parametrize(
    ("method", "fields", "retried"),
    [
        ("prompts/get", {"name": "p"}, True),
        ("resources/read", {"uri": "test://r"}, True),
        ("resources/subscribe", {"uri": "test://r"}, False),
    ],
)
async def test_what_reads_by_its_nature_is_retried(
    world: Callable[..., Awaitable[World]],
    method: str,
    fields: dict[str, str],
    *,
    retried: bool,
) -> None:
    """Whatever is annotated; there is nothing to annotate."""

    def make() -> FakeServer:
        server = FakeServer()
        server.scripts["initialize"] = hello
        server.scripts["prompts/list"] = lambda request: result(request, prompts=[{"name": "p"}])
        listed = [{"uri": "test://r", "name": "r"}]
        server.scripts["resources/list"] = lambda request: result(request, resources=listed)
        server.scripts["resources/templates/list"] = lambda request: result(
            request, resourceTemplates=[]
        )
        server.scripts[method] = result if backend.opened else lambda _request: server.die()
        return server

    backend = FakeBackend(make)
    house = await world(backend, retry=True)
    stream = house.client().ask(method, **fields)
    await wait_all_tasks_blocked()
    assert ("result" in stream.answer) is retried


def result(request: Request, **members: object) -> Result:
    """An answer."""
    return Result(request.id, raw(members))


def hello(request: Request) -> Result:
    """Says that there are prompts and resources."""
    offered: dict[str, object] = {"tools": {}, "prompts": {}, "resources": {"subscribe": True}}
    return result(
        request,
        protocolVersion="2025-11-25",
        capabilities=offered,
        serverInfo={"name": "fake", "version": "1"},
    )
