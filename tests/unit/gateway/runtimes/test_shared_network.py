"""gateway/runtimes/shared_network.py against a real engine: who is in which network, and that no holder is left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import docker
import msgspec
import pytest
import trio

from gateway import limits
from gateway.catalog.model import ContainerLaunch
from gateway.errors import StartFailed
from gateway.home import Home
from gateway.ports import StartRequest
from gateway.runtimes import shared_network
from gateway.runtimes.container_config import HOME_LABEL, Owner, Place
from gateway.runtimes.container_link import ContainerLink
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.ownership import InstanceLock
from tests.cancelling import CancelAtStep
from tests.contracts.test_link import call, read_line

pytestmark = pytest.mark.slow

over_each_link = pytest.mark.parametrize("rig", ["fifo", "attach"], indirect=True)


class Rig:
    """An engine under test, and a look from outside."""

    def __init__(self, engine: DockerEngine, image: str, client: docker.APIClient) -> None:
        self.engine = engine
        self.image = image
        self.client = client
        self.label = ""

    async def start(self, *arguments: str, spec: str = "one", **changes: object) -> ContainerLink:
        """Starts the echo server, its network shared and blocked."""
        launch = ContainerLaunch(
            image=self.image, command=arguments, memory_bytes=64 * limits.MIB, cpus=0.5, pids=32
        )
        changes = {"shared_network": True, "disable_network": True, **changes}
        changed = msgspec.structs.replace(launch, **changes)
        return await self.engine.start(StartRequest(server="s", launch=changed, spec_hash=spec))

    def network_of(self, link: ContainerLink) -> str:
        """The network mode of a link's container."""
        return self.client.inspect_container(link.name)["HostConfig"]["NetworkMode"]

    def holder_of(self, link: ContainerLink) -> str:
        """The id of the container whose network a link's container is in."""
        kind, _, identity = self.network_of(link).partition(":")
        assert kind == "container"
        return identity

    def there(self) -> list[str]:
        """All containers of this test's gateway."""
        found = self.client.containers(all=True, filters={"label": self.label})
        return [item["Names"][0].lstrip("/") for item in found]


@pytest.fixture
async def rig(
    request: pytest.FixtureRequest,
    engine: Endpoint,
    docker_client: docker.APIClient,
    home: Home,
    shell_image: str,
) -> AsyncIterator[Rig]:
    """The engine of a gateway; over named pipes where a test does not say otherwise."""
    lock = InstanceLock.take(home)
    owner = Owner(home.identity(), lock.instance_id)
    made = DockerEngine(engine, owner, links=LinkChoice(home, getattr(request, "param", "fifo")))
    rig = Rig(made, shell_image, docker_client)
    rig.label = f"{HOME_LABEL}={home.identity()}"
    yield rig
    assert rig.there() == []
    assert not made.networks.open
    await made.aclose()
    lock.release()


async def answers(link: ContainerLink) -> None:
    """Returns if the link's server answers."""
    await link.send_all(call("echo", text="hello"))
    assert b'"hello"' in await read_line(link)


@over_each_link
async def test_the_containers_of_a_server_share_one_network(rig: Rig) -> None:
    """Started side by side: one holder, as tightly held as its servers, which goes with the last of them."""
    links: list[ContainerLink] = []

    async def start() -> None:
        links.append(await rig.start())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(start)
    (holder,) = {rig.holder_of(link) for link in links}
    seen = rig.client.inspect_container(holder)
    assert seen["Name"].startswith("/mcp-s-network-")
    assert seen["HostConfig"]["NetworkMode"] == "none"
    assert seen["State"]["Running"]
    for link in links[1:]:
        await link.aclose()
    await answers(links[0])
    assert len(rig.there()) == 2
    await links[0].aclose()


async def test_who_comes_after_the_last_has_left_gets_a_new_one(rig: Rig) -> None:
    """Nothing is kept for those who may come."""
    first = await rig.start()
    holder = rig.holder_of(first)
    await first.kill()
    second = await rig.start()
    assert rig.holder_of(second) != holder
    await answers(second)
    await second.aclose()


async def test_a_changed_entry_has_a_network_of_its_own(rig: Rig) -> None:
    """What one version of an entry may reach is nothing to another."""
    blocked = await rig.start()
    free = await rig.start(spec="two", disable_network=False)
    modes = {
        rig.client.inspect_container(rig.holder_of(link))["HostConfig"]["NetworkMode"]
        for link in (blocked, free)
    }
    assert modes == {"none", "default"}
    for link in (blocked, free):
        await link.aclose()


async def test_hosts_and_networks_are_the_holders(rig: Rig) -> None:
    """In the gateway's container form the holder is on all of its networks; the names of hosts come with it."""
    names = ("mcpgw-test-net-c", "mcpgw-test-net-d")
    for name in names:
        rig.client.create_network(name)
    try:
        place = await rig.engine._learn_place()
        rig.engine._place = msgspec.structs.replace(place, networks=names)
        link = await rig.start(disable_network=False, extra_hosts=("far.example:192.0.2.7",))
        seen = rig.client.inspect_container(rig.holder_of(link))
        await answers(link)
        await link.aclose()
        assert set(seen["NetworkSettings"]["Networks"]) == set(names)
        assert seen["HostConfig"]["ExtraHosts"] == ["far.example:192.0.2.7"]
    finally:
        for name in names:
            rig.client.remove_network(name)


async def test_containers_end_with_their_holder(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody removes the holder: its containers, which have lost their network, go as well; the next has a new one."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.engine.networks.watch)
        links = [await rig.start(disable_network=False) for _ in range(2)]
        holder = rig.holder_of(links[0])
        rig.client.remove_container(holder, force=True)
        with trio.fail_after(5):
            for link in links:
                assert await link.receive_some() == b""
                await link.aclose()
        assert [record.message for record in caplog.records].count("network_lost") == 1
        link = await rig.start(disable_network=False)
        assert rig.holder_of(link) != holder
        await answers(link)
        await link.aclose()
        nursery.cancel_scope.cancel()


@over_each_link
async def test_a_start_whose_holder_is_lost_takes_another(rig: Rig) -> None:
    """Before anybody has seen that it is gone: the start finds out, and goes on with a new holder."""
    first = await rig.start()
    holder = rig.holder_of(first)
    rig.client.remove_container(holder, force=True)
    second = await rig.start()
    assert rig.holder_of(second) != holder
    await answers(second)
    await second.aclose()
    await first.aclose()


async def test_a_start_that_fails_for_its_own_reasons(rig: Rig) -> None:
    """The holder is well: the failure is told once, and the holder is not kept for it."""
    with pytest.raises(StartFailed, match="no-such-user"):
        await rig.start(user="no-such-user")


async def test_a_holder_that_does_not_run(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the engine cannot run it, containers have networks of their own, and it is not tried again."""
    monkeypatch.setattr(shared_network, "holder_program", lambda _: b"no program at all")
    for _ in range(2):
        link = await rig.start()
        assert rig.network_of(link) == "none"
        await answers(link)
        await link.aclose()
    assert [record.message for record in caplog.records].count("network_not_shared") == 1


async def test_a_processor_without_a_program(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Its containers have networks of their own; the log says why."""
    rig.engine._place = Place(architecture="riscv64")
    link = await rig.start()
    assert rig.network_of(link) == "none"
    await link.aclose()
    (record,) = caplog.records
    assert record.message == "network_not_shared"
    assert "riscv64" in str(vars(record))


async def test_a_gateway_that_is_killed_leaves_no_holder(rig: Rig) -> None:
    """With its connections all of its containers end, the holder too, and the engine removes them."""
    link = await rig.start()
    (network,) = rig.engine.networks.open
    assert network.holder is not None
    await link._stream.aclose()
    await network.holder.stream.aclose()
    with trio.fail_after(5):
        # The engine is asked again and again: it tells nobody when it has removed something.
        while rig.there():  # noqa: ASYNC110 - see above
            await trio.sleep(0.05)
    await link.aclose()


@over_each_link
async def test_cancelled_at_every_step_of_a_start(rig: Rig) -> None:
    """Wherever the start of a holder and its first container is cancelled, both are there or none."""
    for step in range(1, 140, 3):
        link: ContainerLink | None = None
        with CancelAtStep(step) as cancelling:
            link = await rig.start()
        if link is not None:
            assert len(rig.there()) == 2
            await link.kill()
        assert rig.there() == []
        assert not rig.engine.networks.open
        if not cancelling.reached:
            return
    pytest.fail("a start takes fewer steps than that")
