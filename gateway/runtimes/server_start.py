"""Starts servers' containers with the best link that works. Must not know MCP, or how an engine is told.

A trial of named pipes that fails leaves nothing, and the attach stream takes their place within the same start.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec
import trio

from gateway import limits
from gateway.catalog.model import ContainerLaunch
from gateway.errors import StartFailed
from gateway.ports import StartRequest
from gateway.runtimes.container_config import container_name
from gateway.runtimes.container_link import ContainerLink
from gateway.runtimes.engine_container import (
    ATTACH_OUTPUT,
    ATTACH_SERVER,
    EngineContainer,
    discard,
)
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_facts import ImageFacts
from gateway.runtimes.engine_faults import not_started
from gateway.runtimes.engine_http import Refused
from gateway.runtimes.fifo_config import program, with_pipes
from gateway.runtimes.link_attach import AttachStream, attach
from gateway.runtimes.link_choice import LinkChoice
from gateway.runtimes.link_fifo import FifoStream, NotOpened
from gateway.runtimes.link_notes import LinkNote, read_note, save_note
from gateway.runtimes.named_pipes import NamedPipes
from gateway.runtimes.stderr_tail import LineSink, StderrTail
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")
_T = TypeVar("_T")

Create = Callable[[str, Mapping[str, Any]], Awaitable[EngineContainer]]
"""Creates a container of that name from its configuration. Raises Refused, and what `Runtime.start` may raise."""
News = Callable[[], LinkNote | None]
"""What a start that succeeded has told."""
Inspect = Callable[[str], Awaitable[ImageFacts]]
"""What an image does by itself; pulls it where it is missing. Raises what `Runtime.start` may raise."""


class StartPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a start is made from. `config`: what the engine is told of a container that is attached to."""

    request: StartRequest
    launch: ContainerLaunch
    config: Mapping[str, Any]
    create: Create


class ServerStarts:
    """The starts of one engine.

    Args:
        endpoint: where the engine is.
        inspect: how images are looked at.
        links: which link a container gets.
        instance_id: ours; named pipes are made in its name.
        on_stderr: takes each line of a server's stderr.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        inspect: Inspect,
        links: LinkChoice,
        instance_id: str,
        on_stderr: LineSink,
    ) -> None:
        self._endpoint = endpoint
        self._inspect = inspect
        self._links = links
        self._instance_id = instance_id
        self._on_stderr = on_stderr

    async def start(self, plan: StartPlan) -> ContainerLink:
        """Starts a container.

        Cancellation: nothing is left behind.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
        """
        server, launch, links = plan.request.server, plan.launch, self._links
        if not links.knows(server):
            links.recall(server, await _in_thread(partial(read_note, links.home, server)))
        image = None if links.why_not_any() else await self._inspect(launch.image)
        why = links.why_not_any() if image is None else links.why_not(launch, image)
        if image is None or why:
            news = partial(links.attached, server, why, image)
            return await self._start_attached(plan, news, why)
        try:
            return await self._start_piped(plan, program(launch, image))
        except (NotOpened, Refused) as error:
            if links.mode == "fifo" and isinstance(error, Refused):
                raise not_started(plan.request, error.reason) from error
            news = partial(links.failed, server, image, error)
            why = str(error)
        return await self._start_attached(plan, news, why)

    async def _start_piped(self, plan: StartPlan, command: tuple[str, ...]) -> ContainerLink:
        """A trial of named pipes.

        Raises:
            NotOpened, Refused: it failed, and nothing of it is left.
        """
        make = partial(NamedPipes.make, self._links.home, self._instance_id)
        try:
            pipes = await _in_thread(make)
        except OSError as error:
            raise NotOpened(
                f"no named pipes can be made in the home: {error}", died=False
            ) from error
        try:
            config = with_pipes(plan.config, command, pipes.stdin_path, pipes.stdout_path)
            piped = msgspec.structs.replace(plan, config=config)
            news = partial(self._links.opened, plan.request.server)
            return await self._start(piped, news, pipes)
        finally:
            if pipes.named:
                with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                    await _in_thread(pipes.discard)

    async def _start_attached(self, plan: StartPlan, news: News, why: str) -> ContainerLink:
        """A start without pipes; `why` they are not used."""
        if self._links.mode == "fifo":
            raise StartFailed(
                f"{plan.request.server} cannot be reached over named pipes ({why}): leave out --link fifo"
            )
        try:
            return await self._start(plan, news)
        except Refused as error:
            raise not_started(plan.request, error.reason) from error

    async def _start(
        self, plan: StartPlan, news: News, pipes: NamedPipes | None = None
    ) -> ContainerLink:
        """Creates, attaches, starts; over `pipes` also waits until they were opened."""
        server = plan.request.server
        container = await plan.create(container_name(server), plan.config)
        stream: AttachStream | FifoStream | None = None
        link: ContainerLink | None = None
        try:
            target = ATTACH_SERVER if pipes is None else ATTACH_OUTPUT
            stream = await attach(self._endpoint, container.target(target))
            if pipes is not None:
                stream = FifoStream(pipes, stream)
            await container.start()
            if isinstance(stream, FifoStream):
                await stream.wait_opened()
            if (note := news()) is not None:
                await _in_thread(partial(save_note, self._links.home, server, note))
            link = ContainerLink(stream, container, StderrTail(server, self._on_stderr))
        finally:
            if link is None:
                with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                    await discard(container, stream)
        _log.debug("container_started", server=server, container=link.name, link=link.kind)
        return link


async def _in_thread(call: Callable[[], _T]) -> _T:
    """File work; its result is had even when the caller is cancelled meanwhile."""
    return await trio.to_thread.run_sync(call)
