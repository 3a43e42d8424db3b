"""Resources that modern clients watch: in the process where their calls change them, for as long as somebody watches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway import limits
from gateway.jsonrpc.messages import Result
from gateway.ports import Principal
from tests.fakes.house import FakeBackend
from tests.fakes.modern_server import ModernServer
from tests.fakes.server import FakeServer, raw
from tests.unit.actors.test_session import Stream, World, capable
from tests.unit.actors.test_stateless import Modern

Build = Callable[..., Awaitable[World]]
ASKED = {"elicitation": {"form": {}}}
URI = "x://1"


@pytest.fixture
def world(nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path) -> Build:
    """Builds worlds."""

    async def build(**more: Any) -> World:
        house = World(nursery, tmp_path, **more)
        await wait_all_tasks_blocked()
        return house

    return build


def modern() -> ModernServer:
    """A modern server with a resource that changes."""
    server = ModernServer()
    server.capabilities = {"tools": {}, "resources": {"subscribe": True}}
    listed = {"resources": [{"uri": URI, "name": "one"}]}
    server.scripts["resources/list"] = lambda one: Result(one.id, raw(listed))
    return server


def legacy() -> FakeServer:
    """An older one, whose calls are answered."""
    server = capable()
    server.held = frozenset()
    return server


def watch(client: Modern) -> Stream:
    """Opens a subscription to the resource."""
    return client.ask("subscriptions/listen", notifications={"resourceSubscriptions": [URI]})


def update(server: FakeServer) -> None:
    """The resource changes."""
    if isinstance(server, ModernServer):
        server.tell("notifications/resources/updated", uri=URI)
    else:
        server.notify("notifications/resources/updated", {"uri": URI})


def updates(stream: Stream) -> int:
    """How many it was told of."""
    return [one["method"] for one in stream.messages].count("notifications/resources/updated")


async def called(client: Modern, backend: FakeBackend) -> FakeServer:
    """The process in which a call of that client works."""
    before = {one: len(one.requests("tools/call")) for one in backend.opened}
    client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    return next(
        one for one in backend.opened if len(one.requests("tools/call")) > before.get(one, 0)
    )


@pytest.mark.parametrize("make", [legacy, modern])
@pytest.mark.parametrize("calls_first", [True, False])
@pytest.mark.parametrize("isolation", ["session", "principal", "shared"])
async def test_a_change_made_by_a_call_is_seen_by_the_listener_of_the_same_client(
    world: Build,
    autojump_clock: MockClock,
    make: Callable[[], FakeServer],
    calls_first: bool,  # noqa: FBT001 # a case
    isolation: str,
) -> None:
    """A resource lives in a process; the subscription is where the client's calls are."""
    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend, isolation=isolation)
    client = Modern(house, **ASKED)
    client.ask("tools/list")
    await trio.sleep(1)
    if calls_first:
        await called(client, backend)
    stream = watch(client)
    await trio.sleep(1)
    update(await called(client, backend))
    await wait_all_tasks_blocked()
    assert updates(stream) == 1


@pytest.mark.parametrize("make", [legacy, modern])
async def test_a_subscription_ends_with_its_last_listener(
    world: Build, autojump_clock: MockClock, make: Callable[[], FakeServer]
) -> None:
    """The calls of its client go on in the same process, which then may be idle again."""
    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    client = Modern(house)
    client.ask("tools/list")
    await trio.sleep(1)
    one, other = watch(client), watch(client)
    await trio.sleep(1)
    server = await called(client, backend)
    one.cancel()  # type: ignore[attr-defined]
    await trio.sleep(1)
    update(server)
    await wait_all_tasks_blocked()
    assert (updates(one), updates(other)) == (0, 1)
    other.cancel()  # type: ignore[attr-defined]
    await trio.sleep(1)
    assert not server.is_closed
    await trio.sleep(200)
    assert server.is_closed


async def test_nobody_hears_of_the_processes_of_others(
    world: Build, autojump_clock: MockClock
) -> None:
    """Another caller watches the same resource in a process of its own."""
    house, backend = await world(), FakeBackend(legacy)
    house.serve("one", backend)
    mine, theirs = Modern(house, Principal("a")), Modern(house, Principal("b"))
    mine.ask("tools/list")
    await trio.sleep(1)
    ours, other = watch(mine), watch(theirs)
    await trio.sleep(1)
    update(await called(mine, backend))
    await wait_all_tasks_blocked()
    assert (updates(ours), updates(other)) == (1, 0)


async def test_where_no_server_outlives_its_call_nothing_is_watched(
    world: Build, autojump_clock: MockClock
) -> None:
    """No server is started that would forget the subscription at once."""
    house, backend = await world(), FakeBackend(legacy)
    house.serve("one", backend, isolation="call")
    client = Modern(house)
    client.ask("tools/list")
    await trio.sleep(1)
    stream = watch(client)
    await trio.sleep(1)
    assert len(stream.messages) == 1
    assert not [one for one in backend.opened if one.requests("resources/subscribe")]


async def test_a_listener_that_comes_before_the_lists_waits_for_them(
    world: Build, autojump_clock: MockClock
) -> None:
    """It is acknowledged at once, and subscribed as soon as it is known where the resource is."""
    house, backend = await world(), FakeBackend(legacy)
    house.serve("one", backend)
    client = Modern(house)
    stream = watch(client)
    await trio.sleep(5)
    update(await called(client, backend))
    await wait_all_tasks_blocked()
    assert updates(stream) == 1


async def test_one_that_leaves_before_the_lists_subscribes_nowhere(
    world: Build, autojump_clock: MockClock
) -> None:
    """What comes late is for nobody."""
    house, backend = await world(), FakeBackend(legacy)
    house.serve("one", backend)
    stream = watch(Modern(house))
    stream.cancel()  # type: ignore[attr-defined]
    await trio.sleep(5)
    assert not [one for one in backend.opened if one.requests("resources/subscribe")]


@pytest.mark.parametrize("make", [legacy, modern])
async def test_it_is_acknowledged_once_nothing_can_be_missed(
    world: Build, autojump_clock: MockClock, make: Callable[[], FakeServer]
) -> None:
    """A change right after the acknowledgement is told, however long the server took to start."""
    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    client = Modern(house)
    client.ask("tools/list")
    await trio.sleep(100)
    backend.gate = trio.Event()
    stream = watch(client)
    await trio.sleep(1)
    assert stream.messages == []
    backend.gate.set()
    await trio.sleep(0.1)
    assert [one["method"] for one in stream.messages] == [
        "notifications/subscriptions/acknowledged"
    ]
    update(backend.running[-1])
    await wait_all_tasks_blocked()
    assert updates(stream) == 1


async def test_a_server_that_does_not_answer_is_not_waited_for(
    world: Build, autojump_clock: MockClock
) -> None:
    """The acknowledgement comes, and what is told meanwhile comes after it or not at all."""
    house, backend = await world(), FakeBackend(legacy)
    house.serve("one", backend)
    client = Modern(house)
    client.ask("tools/list")
    await trio.sleep(100)
    backend.gate = trio.Event()
    stream = watch(client)
    house.serve("two", FakeBackend(lambda: FakeServer(name="two")))
    await trio.sleep(limits.LISTEN_ACK_S + 1)
    assert [one["method"] for one in stream.messages] == [
        "notifications/subscriptions/acknowledged"
    ]
