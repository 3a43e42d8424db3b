"""The whole house over fake runtimes: real catalogs in a real home, servers in memory."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.backends import Backends
from actors.supervisor import Gateway
from gateway import limits
from gateway.configuration import load_snapshot
from gateway.home import Home
from gateway.options import GatewayOptions
from gateway.ports import LOCAL
from gateway.runtimes.ownership import InstanceLock
from tests.fakes.runtime import FakeRuntime
from tests.unit.actors.test_session import Client

CATALOG = """
version: 3
name: docker-mcp
registry:
  one: {{image: "one:{tag}"}}
  two: {{image: "two:1", command: [--token, "$TOKEN"], secrets: [{{name: two.token, env: TOKEN}}]}}
"""


class House:
    """A gateway with its home and its fake engine."""

    def __init__(self, gateway: Gateway, engine: FakeRuntime, home: Path) -> None:
        self.gateway = gateway
        self.engine = engine
        self.home = home

    def write(self, text: str) -> None:
        """Replaces the catalog, and puts it in force."""
        (self.home / "catalogs" / "docker-mcp.yaml").write_text(text)
        self.gateway.apply(load_snapshot(self.gateway.options, {}))

    async def client(self) -> Client:
        """An initialized client that has listed."""
        client = Client(self.gateway.sessions.open(LOCAL, transport="test"))
        client.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
        client.tell("notifications/initialized")
        client.ask("tools/list")
        await trio.sleep(3)
        return client

    def live(self, server: str) -> int:
        """How many containers of a server run."""
        return sum(1 for link in self.engine.live if link.name.startswith(f"fake-{server}-"))


@pytest.fixture
def open_house(tmp_path: Path) -> Callable[..., Any]:
    """Opens a gateway over a catalog of two servers."""

    @asynccontextmanager
    async def opened(**more: Any) -> AsyncIterator[House]:
        home = Home(tmp_path)
        home.catalogs.mkdir()
        (home.catalogs / "docker-mcp.yaml").write_text(CATALOG.format(tag="1"))
        options = GatewayOptions(
            home=str(tmp_path), enable_all_servers=True, watch=False, names="prefix", **more
        )
        load = partial(load_snapshot, options, {})
        async with trio.open_nursery() as nursery:
            engine = FakeRuntime(nursery)
            lock = InstanceLock.take(home)
            backends = Backends(home, lock, engine=engine, docker=None, processes=engine)
            gateway = Gateway(options, {}, snapshot=load(), load=load, backends=backends)
            await nursery.start(gateway.run)
            try:
                yield House(gateway, engine, tmp_path)
            finally:
                await gateway.stop()
                await backends.aclose()
                assert engine.live == []
            nursery.cancel_scope.cancel()

    return opened


async def call(client: Client, name: str) -> Any:
    """Calls an echo tool; the answer."""
    stream = client.ask("tools/call", name=name, arguments={"text": "hi"})
    await wait_all_tasks_blocked()
    return stream.answer


async def test_a_call_reaches_its_server(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """From the catalog in the home to a container and back."""
    async with open_house() as house:
        client = await house.client()
        assert house.engine.live == []
        answer = await call(client, "one__echo")
        assert answer["result"]["content"][0]["text"] == "hi"
        assert house.live("one") == 1


async def test_an_unchanged_server_keeps_its_container(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """A reload that changes one server leaves the other's container running, and its session too."""
    async with open_house() as house:
        client = await house.client()
        await call(client, "one__echo")
        await call(client, "two__echo")
        starts = len(house.engine.requests)
        house.write(CATALOG.format(tag="2"))
        await wait_all_tasks_blocked()
        assert (house.live("one"), house.live("two")) == (0, 1)
        await call(client, "two__echo")
        await call(client, "one__echo")
        # One container of the new spec, which was listed and then called.
        assert len(house.engine.requests) == starts + 1
        launch = house.engine.requests[-1].launch
        assert launch.image == "one:2"  # type: ignore[union-attr]


async def test_a_removed_server_drains(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """It is gone from the lists, its container too; clients are told once."""
    async with open_house() as house:
        client = await house.client()
        await call(client, "one__echo")
        await trio.sleep(1)
        client.standalone.messages.clear()
        house.write("version: 3\nregistry:\n  two: {image: 'two:1'}\n")
        await trio.sleep(1)
        assert house.live("one") == 0
        notices = [message["method"] for message in client.standalone.messages]
        assert notices.count("notifications/tools/list_changed") >= 1
        assert (await call(client, "one__echo"))["error"]["code"] == -32602


async def test_clients_hear_of_an_added_server(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """A client that waits for news gets them once, and nothing stays running for it."""
    async with open_house() as house:
        client = await house.client()
        client.standalone.messages.clear()
        house.write(CATALOG.format(tag="1") + "  three: {image: 'three:1'}\n")
        await trio.sleep(1)
        notices = [message["method"] for message in client.standalone.messages]
        assert notices == ["notifications/tools/list_changed"]
        await trio.sleep(3)
        assert house.live("three") == 0
        tools = client.ask("tools/list").answer["result"]["tools"]
        assert "three__echo" in {tool["name"] for tool in tools}


async def test_a_changed_launch_that_lists_the_same_is_no_news(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """Its tools do not vanish and come back before the eyes of clients."""
    async with open_house() as house:
        client = await house.client()
        client.standalone.messages.clear()
        house.write(CATALOG.format(tag="2"))
        await trio.sleep(1)
        assert client.standalone.messages == []
        assert house.gateway.listings.complete(limits.UNCACHED_LIST_WAIT_S)


async def test_nobody_connected_starts_nothing(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """A change that no client can see waits for the first one that asks."""
    async with open_house() as house:
        house.write(CATALOG.format(tag="2"))
        await trio.sleep(10)
        assert house.engine.requests == []


async def test_news_do_not_wait_for_a_server_that_never_lists(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """What is known is told after a while; the rest follows."""
    async with open_house() as house:
        client = await house.client()
        client.standalone.messages.clear()
        house.engine.start_s = limits.UNCACHED_LIST_WAIT_S + 2
        house.write("version: 3\nregistry:\n  two: {image: 'two:1'}\n  three: {image: three}\n")
        await trio.sleep(limits.UNCACHED_LIST_WAIT_S + 1)
        assert len(client.standalone.messages) == 1
        await trio.sleep(2)
        assert len(client.standalone.messages) == 2


async def test_an_added_server_can_be_called(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """Without a restart, and at once."""
    async with open_house() as house:
        client = await house.client()
        house.write(CATALOG.format(tag="1") + "  three: {image: 'three:1'}\n")
        assert (await call(client, "three__echo"))["result"]["content"]


async def test_nothing_happens_without_a_change(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """Reading the same files again changes nothing."""
    async with open_house() as house:
        client = await house.client()
        await call(client, "one__echo")
        await trio.sleep(1)
        client.standalone.messages.clear()
        house.write(CATALOG.format(tag="1"))
        await trio.sleep(1)
        assert house.live("one") == 1
        assert client.standalone.messages == []


async def test_drain_waits_for_calls_in_flight(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """New calls are refused while old ones end."""
    async with open_house() as house:
        house.engine.start_s = 5.0
        client = Client(house.gateway.sessions.open(LOCAL, transport="test"))
        client.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
        slow = client.ask("tools/call", name="one__echo", arguments={"text": "hi"})
        await trio.sleep(3)
        before = trio.current_time()
        assert slow.answers == []
        await house.gateway.drain()
        assert 1 < trio.current_time() - before < 5
        assert not house.gateway.ready()
        assert slow.answer["result"]["content"]
        refused = client.ask("tools/call", name="one__echo")
        assert "shutting down" in refused.answer["error"]["message"]


async def test_the_report_shows_servers_and_actors(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """People see what runs, under whom; secrets and whole session ids are not in it."""
    async with open_house() as house:
        client = await house.client()
        await call(client, "one__echo")
        report: Any = house.gateway.report()
        assert report["ready"] is True
        assert report["sessions"] == 1
        actors = {actor["name"]: actor for actor in report["tree"]["children"]}
        assert {"deadlines", "sessions", "listings", "reaper", "snapshots"} <= set(actors)
        assert {actor["state"] for actor in actors.values()} == {"running"}
        (pool,) = (actor for name, actor in actors.items() if name.startswith("pool:one:"))
        (container,) = pool["children"]
        assert (container["state"], container["inflight"]) == ("idle", 0)
        assert container["owner"].startswith("session:")
        assert client.session.id not in json.dumps(report)


async def test_a_server_that_drains_is_shown_until_it_is_gone(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """Who removed it sees why something of it still runs."""
    async with open_house() as house:
        client = await house.client()
        house.engine.start_s = 5.0
        client.ask("tools/call", name="one__echo", arguments={"text": "hi"})
        house.write("version: 3\nregistry:\n  two: {image: 'two:1'}\n")
        await wait_all_tasks_blocked()
        report: Any = house.gateway.report()
        assert "one" in {server["server"] for server in report["servers"]}
        await trio.sleep(10)
        report = house.gateway.report()
        assert {server["server"] for server in report["servers"]} == {"two"}


async def test_a_gateway_tells_its_state_on_its_socket(
    open_house: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """To the commands of its user; when it is gone, so is the socket."""
    async with open_house() as house:
        await house.client()
        told = json.loads(await house.gateway._tell())
        home = Home(house.home)
        (path,) = home.run.glob("*.sock")
        assert home.control(told["instance"]) == path
        assert told["pid"] == os.getpid()
        servers = {server["server"]: server for server in told["servers"]}
        assert set(servers) == {"one", "two"}
        assert servers["one"]["tally"]["hits"] == 0
    assert not path.exists()
