"""Servers as containers of one Docker engine. Must not know MCP, catalogs, or who uses a container.

Control goes through docker-py in worker threads (`docker_api`), bytes through attach streams of our own. A thread that
creates or starts something runs to its end even when its caller is cancelled, and what it made is owned or removed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

from gateway import limits
from gateway.catalog.model import ContainerLaunch
from gateway.errors import ProtocolFault
from gateway.ports import RunOutput, StartRequest
from gateway.runtimes.container_config import (
    Owner,
    Place,
    container_config,
    container_name,
    further_networks,
    labels,
)
from gateway.runtimes.container_creation import ContainerCreation
from gateway.runtimes.container_link import ContainerLink
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_container import (
    ATTACH_OUTPUT,
    EngineContainer,
    discard,
)
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_facts import EngineFacts, Found, PullProgress
from gateway.runtimes.engine_faults import not_started
from gateway.runtimes.engine_freezer import EngineFreezer
from gateway.runtimes.engine_http import Refused
from gateway.runtimes.holdings import Holdings
from gateway.runtimes.image_pulls import ignore_progress
from gateway.runtimes.link_attach import AttachStream, attach
from gateway.runtimes.link_choice import LinkChoice, why_not_here
from gateway.runtimes.self_container import own_container_names
from gateway.runtimes.server_start import ServerStarts, StartPlan
from gateway.runtimes.shared_network import SharedNetworks
from gateway.runtimes.stderr_tail import LineSink, StderrTail, discard_line
from gateway.telemetry.refusals import refused

_T = TypeVar("_T")


class DockerEngine:
    """`ports.Runtime` and `ports.OneShotRuntime` on one engine. Creating the object touches nothing.

    Args:
        endpoint: where the engine is.
        owner: whose containers these are.
        links: how servers are reached.
        in_container: whether the gateway itself runs in a container: servers then join its networks, and bind sources
            cannot be looked at from here.
        on_stderr: takes each line of a server's stderr.
        on_pull: takes the progress of pulls that a start needs.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        owner: Owner,
        *,
        links: LinkChoice,
        in_container: bool = False,
        on_stderr: LineSink = discard_line,
        on_pull: Callable[[PullProgress], None] = ignore_progress,
    ) -> None:
        self.endpoint = endpoint
        self._owner = owner
        self._in_container = in_container
        self._on_stderr = on_stderr
        self._api = DockerApi(endpoint)
        # Threads of our own: those of trio's default limiter may all be busy with files.
        self._threads = trio.CapacityLimiter(limits.ENGINE_THREADS)
        self._creation = ContainerCreation(endpoint, self._api, self._threads, on_pull=on_pull)
        self._links = links
        self._starts = ServerStarts(
            endpoint,
            inspect=self._creation.image_facts,
            links=links,
            instance_id=owner.instance_id,
            on_stderr=on_stderr,
        )
        self.networks = SharedNetworks(endpoint, self._creation)
        self.freezer = EngineFreezer(self._api, self._threads)
        # What the engine and our surroundings are, learned with the first start.
        self._place: Place | None = None
        self._placing = trio.Lock()

    def __repr__(self) -> str:
        """The engine it stands for."""
        return f"<DockerEngine {self.endpoint.url}>"

    @property
    def holdings(self) -> Holdings:
        """Which of its containers somebody takes care of."""
        return self._creation.holdings

    @property
    def shares_files(self) -> bool:
        """Whether the engine sees the files that we see."""
        return self.endpoint.local and not self._in_container

    async def ping(self) -> EngineFacts:
        """Whether the engine is there and lets us in.

        Raises:
            EngineUnreachable: with the fix.
        """
        return await self._ask(self._api.facts)

    async def start(self, request: StartRequest) -> ContainerLink:
        """Starts a server's container; pulls its image where it is missing.

        Cancellation: nothing is left behind.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
        """
        place = await self._learn_place()
        plan = self._plan(request, place, interactive=True)
        if plan.launch.shared_network:
            return await self.networks.start(
                plan, architecture=place.architecture, start=self._starts.start
            )
        return await self._starts.start(plan)

    async def run(self, request: StartRequest) -> RunOutput:
        """Runs a container to its end and removes it; its stdin is empty.

        Cancellation: it is killed and removed.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
            ProtocolFault: it says more than `limits.MAX_FRAME_BYTES`.
        """
        plan = self._plan(request, await self._learn_place(), interactive=False)
        stream: AttachStream | None = None
        container: EngineContainer | None = None
        try:
            container = await plan.create(container_name(request.server), plan.config)
            stream = await attach(self.endpoint, container.target(ATTACH_OUTPUT))
            await container.start()
            tail = StderrTail(request.server, self._on_stderr)
            stdout = await _read_output(request.server, stream, tail)
            status = await container.exit_status()
        except Refused as error:
            raise not_started(request, error.reason) from error
        finally:
            if container is not None:
                with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                    await discard(container, stream)
        return RunOutput(-1 if status is None else status, stdout, tail.text())

    async def image_id(self, image: str) -> str | None:
        """The id of a local image, None where it is not there.

        Raises:
            EngineUnreachable
        """
        return await self._ask(partial(self._api.image_id, image))

    async def image_present(self, image: str) -> bool:
        """Whether an image is there.

        Raises:
            EngineUnreachable
        """
        return await self.image_id(image) is not None

    async def pull(
        self, image: str, progress: Callable[[PullProgress], None] = ignore_progress
    ) -> None:
        """Pulls an image; those who ask for the same one at the same time wait for one pull.

        Raises:
            EngineUnreachable, ImageMissing
        """
        await self._creation.pulls.pull(image, progress)

    async def find(self, *, home_id: str = "", instance_id: str = "") -> list[Found]:
        """Containers with gateway labels, in any state; of one home or gateway if given.

        Raises:
            EngineUnreachable
        """
        return await self._ask(partial(self._api.find, home_id=home_id, instance_id=instance_id))

    async def remove(self, identity: str) -> None:
        """Kills and removes one container; fine if it is gone.

        Raises:
            EngineUnreachable
        """
        await self._ask(partial(self._api.remove, identity))

    async def aclose(self) -> None:
        """Closes the control plane's connections. Links stay as they are."""
        self._api.close()
        await trio.lowlevel.checkpoint()

    def _plan(self, request: StartRequest, place: Place, *, interactive: bool) -> StartPlan:
        """What is to be started, what the engine will be told of it, and how."""
        launch = request.launch
        if not isinstance(launch, ContainerLaunch):
            raise TypeError(f"{request.server} is no container")
        config = container_config(
            launch,
            place,
            labels=labels(request.server, request.spec_hash, self._owner),
            interactive=interactive,
        )
        create = partial(self._creation.create, networks=further_networks(launch, place))
        return StartPlan(request=request, launch=launch, config=config, create=create)

    async def _learn_place(self) -> Place:
        async with self._placing:
            if self._place is None:
                facts = await self.ping()
                local = self.endpoint.local
                why = why_not_here(facts, in_container=self._in_container, local=local)
                self._links.rule_out(why)
                self._place = Place(
                    networks=await self._own_networks() if self._in_container else (),
                    local_files=self.shares_files,
                    maps_users=facts.maps_users,
                    architecture=facts.architecture,
                )
            return self._place

    async def _own_networks(self) -> tuple[str, ...]:
        for name in own_container_names():
            if networks := await self._ask(partial(self._api.networks_of, name)):
                return networks
        return ()

    async def _ask(self, call: Callable[[], _T]) -> _T:
        """Calls the engine in a thread, which a cancelled caller leaves to itself: for what makes nothing."""
        return await trio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._threads)


async def _read_output(server: str, stream: AttachStream, tail: StderrTail) -> str:
    """All of stdout, to its end."""
    chunks: list[bytes] = []
    size = 0
    while not stream.ended:
        out, err = await stream.receive()
        tail.feed(err)
        chunks.append(out)
        size += len(out)
        if size > limits.MAX_FRAME_BYTES:
            refused("from_servers.MAX_FRAME_BYTES")
            raise ProtocolFault(
                f"the container of {server} printed more than {limits.MAX_FRAME_BYTES} bytes: "
                "make its command print less"
            )
    tail.end()
    return b"".join(chunks).decode("utf-8", errors="replace")
