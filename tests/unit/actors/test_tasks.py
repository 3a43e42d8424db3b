"""Tasks: ids that lead back, containers that wait for them, and calls that can only be tasks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway import limits
from gateway.jsonrpc.messages import Message, Request, Result
from gateway.ports import ANYONE
from tests.fakes.house import FakeBackend
from tests.fakes.modern_server import PREFIX, ModernServer
from tests.fakes.server import FakeServer, raw, tool
from tests.unit.actors.test_session import World
from tests.unit.actors.test_stateless import Modern

Build = Callable[..., Awaitable[World]]
EXTENSION = f"{PREFIX}tasks"
RELATED = f"{PREFIX}related-task"


@pytest.fixture
def world(nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path) -> Build:
    """Builds worlds."""

    async def build(**more: Any) -> World:
        house = World(nursery, tmp_path, **more)
        await wait_all_tasks_blocked()
        return house

    return build


def params_of(request: Request) -> dict[str, Any]:
    """A request's params."""
    read: dict[str, Any] = json.loads(bytes(request.params or b"{}"))
    return read


def working(support: str = "optional") -> Callable[[], FakeServer]:
    """A legacy server whose tool makes tasks."""

    def make() -> FakeServer:
        server = FakeServer(tool("echo", execution={"taskSupport": support}))
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}, "tasks": {"requests": {"tools": {"call": {}}}}},
            "serverInfo": {"name": "t", "version": "1"},
        }

        def call(request: Request) -> Message:
            if "task" not in params_of(request):
                return Result(request.id, raw({"content": []}))
            task = {"taskId": "t1", "status": "working", "ttl": 90_000}
            return Result(request.id, raw({"task": task}))

        def get(request: Request) -> Message:
            return Result(request.id, raw({"taskId": "t1", "status": "working"}))

        def result(request: Request) -> Message:
            related = {"_meta": {RELATED: {"taskId": params_of(request)["taskId"]}}}
            return Result(request.id, raw({"content": [{"text": "done"}], **related}))

        server.scripts |= {
            "initialize": lambda one: Result(one.id, raw(hello)),
            "tools/call": call,
            "tasks/get": get,
            "tasks/result": result,
            "tasks/cancel": lambda one: Result(
                one.id, raw({"taskId": "t1", "status": "cancelled"})
            ),
        }
        return server

    return make


async def test_a_task_of_a_legacy_server_is_followed(
    world: Build, autojump_clock: MockClock
) -> None:
    """Its id is sealed towards the client and its own towards the server, in whatever names it."""
    house, backend = await world(), FakeBackend(working())
    house.serve("one", backend)
    client = house.client()
    made = client.ask("tools/call", name="echo", arguments={}, task={"ttl": 60_000})
    await trio.sleep(1)
    task_id = made.answer["result"]["task"]["taskId"]
    assert task_id != "t1"
    polled = client.ask("tasks/get", taskId=task_id)
    fetched = client.ask("tasks/result", taskId=task_id)
    await wait_all_tasks_blocked()
    assert polled.answer["result"] == {"taskId": task_id, "status": "working"}
    assert fetched.answer["result"]["_meta"][RELATED] == {"taskId": task_id}
    server = next(one for one in backend.running if one.requests("tasks/get"))
    assert params_of(server.requests("tasks/get")[0]) == {"taskId": "t1"}
    server.notify("notifications/tasks/status", {"taskId": "t1", "status": "completed"})
    await wait_all_tasks_blocked()
    assert client.standalone.messages[-1]["params"]["taskId"] == task_id


async def test_a_question_within_a_task_names_it_as_the_client_knows_it(
    world: Build, autojump_clock: MockClock
) -> None:
    """The client tells by it what the question is about."""
    house, backend = await world(), FakeBackend(working())
    house.serve("one", backend)
    client = house.client(elicitation={})
    made = client.ask("tools/call", name="echo", arguments={}, task={})
    await trio.sleep(1)
    server = next(one for one in backend.running if one.requests("tools/call"))
    related = {"message": "?", "_meta": {RELATED: {"taskId": "t1"}}}
    server.ask(Request("q", "elicitation/create", raw(related)))
    await wait_all_tasks_blocked()
    asked = client.standalone.messages[-1]["params"]
    assert asked["_meta"][RELATED]["taskId"] == made.answer["result"]["task"]["taskId"]


async def test_an_id_is_good_for_its_caller_only(world: Build, autojump_clock: MockClock) -> None:
    """Made up, changed, or somebody else's: there is no such task, and the server is not asked."""
    house, backend = await world(), FakeBackend(working())
    house.serve("one", backend)
    client = house.client()
    made = client.ask("tools/call", name="echo", arguments={}, task={})
    await trio.sleep(1)
    task_id = made.answer["result"]["task"]["taskId"]
    for other in ("t1", task_id[:-1] + ("A" if task_id[-1] != "A" else "B"), ""):
        assert client.ask("tasks/get", taskId=other).answer["error"]["code"] == -32602
    stranger = Modern(house, ANYONE).ask("tasks/get", taskId=task_id)
    assert stranger.answer["error"] == {"code": -32602, "message": "There is no such task."}
    assert not any(one.requests("tasks/get") for one in backend.opened)


async def test_a_server_with_a_task_is_kept(world: Build, autojump_clock: MockClock) -> None:
    """Until the task's time is over, and then as long as any idle one; an outcome that was fetched ends it earlier."""
    house, backend = await world(), FakeBackend(working())
    house.serve("one", backend, idle_s=10.0)
    client = house.client()
    made = client.ask("tools/call", name="echo", arguments={}, task={})
    await trio.sleep(60)
    assert len(backend.running) == 1
    await trio.sleep(45)
    assert not backend.running
    made = client.ask("tools/call", name="echo", arguments={}, task={})
    await trio.sleep(1)
    client.ask("tasks/result", taskId=made.answer["result"]["task"]["taskId"])
    await trio.sleep(20)
    assert not backend.running


async def test_a_task_outlives_its_call_where_each_call_has_a_container(
    world: Build, autojump_clock: MockClock
) -> None:
    """The id leads to the container that has the task, and not to a new one."""
    house, backend = await world(), FakeBackend(working())
    house.serve("one", backend, isolation="call")
    client = house.client()
    made = client.ask("tools/call", name="echo", arguments={}, task={})
    await trio.sleep(1)
    fetched = client.ask("tasks/result", taskId=made.answer["result"]["task"]["taskId"])
    await trio.sleep(1)
    assert fetched.answer["result"]["content"] == [{"text": "done"}]
    server = next(one for one in backend.opened if one.requests("tasks/result"))
    assert server.requests("tools/call")


async def test_a_tool_that_is_always_a_task_is_a_call_to_a_modern_client(
    world: Build, autojump_clock: MockClock
) -> None:
    """The gateway makes the task and waits for its outcome; a client that leaves cancels it."""
    house, backend = await world(), FakeBackend(working("required"))
    house.serve("one", backend)
    client = Modern(house)
    called = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert called.answer["result"]["content"] == [{"text": "done"}]
    server = next(one for one in backend.opened if one.requests("tools/call"))
    server.held = frozenset({"tasks/result"})
    waiting = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    waiting.cancel()  # type: ignore[attr-defined]
    await trio.sleep(1)
    assert params_of(server.requests("tasks/cancel")[0]) == {"taskId": "t1"}
    assert house.pools["one"].idle()


def extended() -> ModernServer:
    """A modern server that makes a task of each call, where it may."""
    server = ModernServer()
    server.capabilities = {"tools": {}, "extensions": {EXTENSION: {}}}

    def call(request: Request) -> Message:
        declared = params_of(request)["_meta"][f"{PREFIX}clientCapabilities"]
        if EXTENSION not in declared.get("extensions", {}):
            return Result(request.id, raw({"resultType": "complete", "content": []}))
        task = {"resultType": "task", "taskId": "m1", "status": "working", "ttlMs": 60_000}
        return Result(request.id, raw(task))

    def get(request: Request) -> Message:
        done = {"taskId": params_of(request)["taskId"], "status": "completed", "result": {}}
        return Result(request.id, raw({"resultType": "complete", **done}))

    server.scripts |= {"tools/call": call, "tasks/get": get, "tasks/update": get}
    return server


async def test_the_extension_passes_between_modern_peers(
    world: Build, autojump_clock: MockClock
) -> None:
    """Declared both ways, with sealed ids; who has not declared it gets results, and a legacy client never tasks."""
    house, backend = await world(), FakeBackend(extended)
    house.serve("one", backend)
    able = Modern(house, extensions={EXTENSION: {}})
    made = able.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    result = made.answer["result"]
    assert (result["resultType"], result["status"]) == ("task", "working")
    answers = {"q": {"action": "accept"}}
    polled = able.ask("tasks/get", taskId=result["taskId"])
    updated = able.ask("tasks/update", taskId=result["taskId"], inputResponses=answers)
    await trio.sleep(1)
    assert polled.answer["result"]["taskId"] == result["taskId"]
    assert polled.answer["result"]["status"] == "completed"
    assert updated.answer["result"]["taskId"] == result["taskId"]
    server = next(one for one in backend.opened if one.requests("tasks/update"))
    sent = params_of(server.requests("tasks/update")[0])
    assert (sent["taskId"], sent["inputResponses"]) == ("m1", answers)
    offered = able.ask("server/discover").answer["result"]["capabilities"]["extensions"]
    assert offered == {EXTENSION: {}}
    plain = Modern(house).ask("tools/call", name="echo", arguments={})
    legacy = house.client(extensions={EXTENSION: {}}).ask(
        "tools/call", name="echo", arguments={}, task={}
    )
    await trio.sleep(1)
    assert plain.answer["result"]["content"] == []
    assert legacy.answer["result"] == {"content": []}
    assert all(
        "task" not in params_of(one) for s in backend.opened for one in s.requests("tools/call")
    )


async def test_a_task_that_is_never_over_is_not_waited_for_for_ever(
    world: Build, autojump_clock: MockClock
) -> None:
    """A ttl of null, or of a century, counts as the longest that a server is kept."""

    def make() -> FakeServer:
        server = working()()
        task = {"task": {"taskId": "t", "status": "working", "ttl": None}}
        server.scripts["tools/call"] = lambda one: Result(one.id, raw(task))
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend, idle_s=10.0)
    client = house.client()
    client.ask("tools/call", name="echo", arguments={}, task={})
    await trio.sleep(limits.TASK_CAP_S - 10)
    assert len(backend.running) == 1
    await trio.sleep(60)
    assert not backend.running
