"""gateway/runtimes/docker_engine.py against a real engine: what containers are, and that none is left."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import msgspec
import pytest
import trio

from gateway import limits
from gateway.catalog.model import ContainerLaunch, Mount
from gateway.errors import EngineUnreachable, ImageMissing, ProtocolFault, StartFailed
from gateway.home import Home
from gateway.ports import Link, StartRequest
from gateway.runtimes.container_config import HOME_LABEL, Owner, Place
from gateway.runtimes.container_link import ContainerLink
from gateway.runtimes.docker_engine import DockerEngine
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_facts import PullProgress
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.ownership import InstanceLock, reap
from tests.cancelling import CancelAtStep
from tests.contracts.test_link import call, read_line
from tests.fakes.registry import FakeRegistry

pytestmark = pytest.mark.slow

MEMORY = 64 * 1024 * 1024


class Rig:
    """An engine under test, with requests for the echo image."""

    def __init__(self, engine: DockerEngine, image: str, client: docker.APIClient) -> None:
        self.engine = engine
        self.image = image
        self.client = client

    def request(self, *arguments: str, **changes: object) -> StartRequest:
        """A start of the echo server."""
        launch = ContainerLaunch(
            image=self.image, command=arguments, memory_bytes=MEMORY, cpus=0.5, pids=32
        )
        changed = msgspec.structs.replace(launch, **changes)
        return StartRequest(server="echo server", launch=changed, spec_hash="hash")

    def when(self, link: Link, event: str) -> float:
        """When that happened to the link's container, which was within the last minute; in seconds since 1970."""
        now = time.time()
        filters = {"container": link.name, "event": event}
        (found,) = self.client.events(since=now - 60, until=now, decode=True, filters=filters)
        return found["timeNano"] / 1e9

    def inspect(self, link: Link) -> dict:
        """What the engine says of the link's container."""
        return self.client.inspect_container(link.name)


@pytest.fixture
def lock(home: Home) -> Iterator[InstanceLock]:
    """This gateway's lock."""
    lock = InstanceLock.take(home)
    yield lock
    lock.release()


@pytest.fixture(params=["attach", "fifo"])
async def rig(
    request: pytest.FixtureRequest,
    engine: Endpoint,
    docker_client: docker.APIClient,
    home: Home,
    lock: InstanceLock,
) -> AsyncIterator[Rig]:
    """A DockerEngine of a gateway of its own, over each link."""
    owner = Owner(home.identity(), lock.instance_id)
    made = DockerEngine(engine, owner, links=LinkChoice(home, request.param))
    yield Rig(made, request.getfixturevalue("shell_image"), docker_client)
    assert not list(home.run.glob("*.pipes"))
    await made.aclose()


async def test_ping_says_who_answers(rig: Rig) -> None:
    """An engine in reach gives its version."""
    facts = await rig.engine.ping()
    assert facts.version
    assert facts.api_version.startswith("1.")


async def test_containers_are_confined(rig: Rig, home: Home) -> None:
    """What the configuration promises is what the engine made of it."""
    link = await rig.engine.start(rig.request(env={"A": "secret"}, disable_network=True))
    seen = rig.inspect(link)
    await link.aclose()
    host = seen["HostConfig"]
    assert link.name.startswith("mcp-echo-server-")
    assert seen["Config"]["Labels"][HOME_LABEL] == home.identity()
    assert "A=secret" in seen["Config"]["Env"]
    assert host["NetworkMode"] == "none"
    assert host["Init"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["LogConfig"]["Type"] == "none"
    assert (host["Memory"], host["PidsLimit"], host["NanoCpus"]) == (MEMORY, 32, 500_000_000)


async def test_runs_as_the_owner_of_what_it_binds(rig: Rig, tmp_path: Path) -> None:
    """A bound folder of user 1234 is worked on by user 1234."""
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 1234, 1235)
    status = folder.stat()
    mounts = (Mount(source=str(folder), target="/data", bind=True),)
    link = await rig.engine.start(rig.request(mounts=mounts))
    await link.send_all(call("whoami"))
    assert f"{status.st_uid}:{status.st_gid}".encode() in await read_line(link)
    await link.aclose()


async def test_a_server_that_ignores_everything_is_gone_in_time(rig: Rig) -> None:
    """The end of input and SIGTERM ignored: dead within 4.5 s, and what a busy engine takes; it removes it when it can."""
    stubborn = rig.request("--ignore-eof", "--ignore-term")
    killed, closed = await rig.engine.start(stubborn), await rig.engine.start(stubborn)
    began = time.time()
    await killed.kill()
    late_s = rig.when(killed, "die") - began
    began = time.time()
    with trio.fail_after(limits.STOP_DEADLINE_S + limits.REMOVE_TIMEOUT_S):
        await closed.aclose()
    assert rig.when(closed, "die") - began < 4.5 + late_s


async def test_anonymous_volumes_go_with_their_container(
    rig: Rig, docker_client: docker.APIClient
) -> None:
    """A volume without a name is not left behind."""
    link = await rig.engine.start(rig.request(mounts=(Mount(source="", target="/data"),)))
    mounts = {mount["Destination"]: mount for mount in rig.inspect(link)["Mounts"]}
    volume = mounts["/data"]["Name"]
    await link.aclose()
    with pytest.raises(docker.errors.NotFound):
        docker_client.inspect_volume(volume)


async def test_a_command_that_is_not_there(rig: Rig) -> None:
    """The engine's refusal in a sentence that names the server; nothing is left."""
    with pytest.raises(StartFailed, match="the container of echo server could not be started"):
        await rig.engine.start(rig.request(user="no-such-user"))


async def test_an_image_that_is_nowhere(rig: Rig) -> None:
    """No image, and no registry that has it: which one, and what to do."""
    image = "localhost:9/mcpgw-test/none:1"
    assert not await rig.engine.image_present(image)
    with pytest.raises(ImageMissing, match=f"image {image} is not here .*`docker pull {image}`"):
        await rig.engine.start(rig.request(image=image))


async def test_an_image_that_is_there(rig: Rig) -> None:
    """Its id is what the cache of lists is keyed by."""
    found = await rig.engine.image_id(rig.image)
    assert found is not None
    assert found.startswith("sha256:")
    assert await rig.engine.image_present(rig.image)


async def test_runs_to_the_end(rig: Rig) -> None:
    """A tool's container: output, status, and nothing left, though it ends before one could look."""
    output = await rig.engine.run(rig.request("--stderr=careful", "--print=42"))
    assert (output.exit_status, output.stdout, output.stderr) == (0, "42", "careful\n")
    output = await rig.engine.run(rig.request("--exit=3"))
    assert output.exit_status == 3


async def test_a_run_has_no_input(rig: Rig) -> None:
    """A program that reads its input sees the end at once, and does not hang."""
    with trio.fail_after(10):
        assert (await rig.engine.run(rig.request())).exit_status == 0


async def test_a_cancelled_run_is_removed(rig: Rig, no_leftovers: None) -> None:
    """A tool whose call is cancelled does not go on."""
    with trio.move_on_after(0.8) as scope:
        await rig.engine.run(rig.request("--ignore-eof"))
    assert scope.cancelled_caught


async def test_cancelled_at_every_step_of_a_start(
    rig: Rig, home: Home, docker_client: docker.APIClient
) -> None:
    """Wherever a start is cancelled, either the link is handed over or the container is gone."""
    wanted = {"label": f"{HOME_LABEL}={home.identity()}"}
    for step in range(1, 90):
        link: ContainerLink | None = None
        with CancelAtStep(step) as cancelling:
            link = await rig.engine.start(rig.request())
        if link is not None:
            await link.kill()
        assert docker_client.containers(all=True, filters=wanted) == []
        if not cancelling.reached:
            return
    pytest.fail("a start takes fewer steps than that")


async def test_many_at_once(rig: Rig) -> None:
    """Ten starts and ten stops side by side, as a first listing of ten servers makes them."""
    links: list[ContainerLink] = []

    async def start() -> None:
        links.append(await rig.engine.start(rig.request()))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(start)
    async with trio.open_nursery() as nursery:
        for link in links:
            nursery.start_soon(link.aclose)
    assert len({link.name for link in links}) == 10


async def test_the_dead_are_reaped_and_the_living_are_not(
    rig: Rig, engine: Endpoint, home: Home, tmp_path: Path
) -> None:
    """Of two gateways of one home and one of another, only the dead one's containers go."""
    other_home = Home(tmp_path / "other")
    dead = DockerEngine(engine, Owner(home.identity(), "0" * 32), links=LinkChoice(home))
    foreign = DockerEngine(engine, Owner(other_home.identity(), "0" * 32), links=LinkChoice(home))
    living = await rig.engine.start(rig.request())
    left = await dead.start(rig.request("--ignore-eof"))
    theirs = await foreign.start(rig.request())
    assert await reap(rig.engine, home) == [left.name]
    for link in (living, theirs):
        await link.send_all(call("echo", text="alive"))
        assert b"alive" in await read_line(link)
        await link.aclose()
    await left.aclose()
    await dead.aclose()
    await foreign.aclose()


async def test_joins_the_gateways_networks(rig: Rig, docker_client: docker.APIClient) -> None:
    """In a container, servers are on all networks of the gateway's own container; one that must not be is on none."""
    names = ("mcpgw-test-net-a", "mcpgw-test-net-b")
    for name in names:
        docker_client.create_network(name)
    try:
        rig.engine._place = Place(networks=names)
        link = await rig.engine.start(rig.request())
        seen = set(rig.inspect(link)["NetworkSettings"]["Networks"])
        await link.aclose()
        assert seen == set(names)
    finally:
        for name in names:
            docker_client.remove_network(name)


async def test_no_engine_at_all(tmp_path: Path, home: Home) -> None:
    """A start without an engine says so; it does not wait for anything."""
    endpoint = Endpoint(kind="unix", path=str(tmp_path / "none.sock"))
    engine = DockerEngine(endpoint, Owner(home.identity(), "0" * 32), links=LinkChoice(home))
    launch = ContainerLaunch(image="x", memory_bytes=MEMORY, cpus=1.0, pids=1)
    with pytest.raises(EngineUnreachable, match="is not running"):
        await engine.start(StartRequest(server="s", launch=launch, spec_hash=""))
    await engine.aclose()


async def test_missing_images_are_pulled_once(
    engine: Endpoint, home: Home, lock: InstanceLock, rig: Rig, echo_binary: Path
) -> None:
    """Five starts of an image that is only in a registry: one pull with progress, then five containers."""
    seen: list[PullProgress] = []
    pulling = DockerEngine(
        engine,
        Owner(home.identity(), lock.instance_id),
        links=LinkChoice(home),
        on_pull=seen.append,
    )
    links: list[ContainerLink] = []
    with FakeRegistry(echo_binary, lock.instance_id) as registry:

        async def start() -> None:
            links.append(await pulling.start(rig.request(image=registry.image)))

        try:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(start)
            for link in links:
                await link.aclose()
            assert len(links) == 5
            assert {progress.image for progress in seen} == {registry.image}
            layers = [path for path in registry.fetched if "/blobs/" in path]
            assert len(layers) == len(set(layers))
        finally:
            rig.client.remove_image(registry.image, force=True)
            await pulling.aclose()


async def test_an_image_the_registry_does_not_have(rig: Rig, echo_binary: Path) -> None:
    """A registry that answers, but not with that image."""
    with FakeRegistry(echo_binary, "x") as registry:
        image = registry.image.replace("/test/echo:1", "/test/other:2")
        with pytest.raises(ImageMissing, match=r"other:2 is not here and could not be pulled"):
            await rig.engine.pull(image)


async def test_a_network_that_is_not_there(rig: Rig, home: Home) -> None:
    """A container that could not be connected to all its networks is not kept."""
    rig.engine._place = Place(networks=("bridge", "no-such-network"))
    with pytest.raises(StartFailed, match="no-such-network"):
        await rig.engine.start(rig.request())
    assert await rig.engine.find(home_id=home.identity()) == []


async def test_learns_its_own_networks(
    rig: Rig, home: Home, engine: Endpoint, lock: InstanceLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway in a container asks the engine which networks it is on; a name that is no container is passed over."""
    own = await rig.engine.start(rig.request())
    monkeypatch.setattr(
        "gateway.runtimes.docker_engine.own_container_names", lambda: ["no-such-name", own.name]
    )
    inside = DockerEngine(
        engine, Owner(home.identity(), lock.instance_id), links=LinkChoice(home), in_container=True
    )
    link = await inside.start(rig.request())
    assert list(rig.inspect(link)["NetworkSettings"]["Networks"]) == ["bridge"]
    for each in (link, own):
        await each.aclose()
    await inside.aclose()


async def test_stopping_what_is_gone_already(rig: Rig, docker_client: docker.APIClient) -> None:
    """A container that somebody else removed is an end like any other, and no trouble to close."""
    link = await rig.engine.start(rig.request())
    docker_client.remove_container(link.name, force=True)
    assert await link.receive_some() == b""
    await link.kill()
    await link.aclose()


async def test_a_run_that_prints_without_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that prints more than a message may hold is stopped, and says so."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 10)
    with pytest.raises(ProtocolFault, match="printed more than 10 bytes"):
        await rig.engine.run(rig.request("--print=more than ten bytes"))


async def test_a_frozen_container_stands_still_and_goes_on(rig: Rig) -> None:
    """It answers once it is thawed, even right after the freezing; what it uses is known either way."""
    freezer = rig.engine.freezer
    link = await rig.engine.start(rig.request(disable_network=True))
    try:
        for _ in range(3):
            await freezer.freeze(link.name)
            await freezer.freeze(link.name)
            assert rig.inspect(link)["State"]["Paused"]
            assert 0 < await freezer.memory_bytes(link.name) < MEMORY
            await freezer.thaw(link.name)
            await link.send_all(call("echo", text="awake"))
            assert b"awake" in await read_line(link)
    finally:
        await link.aclose()


async def test_a_frozen_container_can_be_killed(rig: Rig) -> None:
    """A gateway that ends does not wait for it."""
    link = await rig.engine.start(rig.request(disable_network=True))
    await rig.engine.freezer.freeze(link.name)
    await link.kill()
    assert rig.client.containers(all=True, filters={"name": link.name}) == []
