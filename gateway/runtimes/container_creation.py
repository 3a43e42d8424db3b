"""Creates containers on one engine, and pulls the images that they lack. Must not know what is to run in them.

Whoever gets a container from here removes it: wherever the caller is cancelled, what a thread has created is handed over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import trio

from gateway.errors import ImageMissing
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_container import EngineContainer, nothing_more
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_facts import ImageFacts, PullProgress
from gateway.runtimes.holdings import Holdings
from gateway.runtimes.image_pulls import ImagePulls, ignore_progress

_T = TypeVar("_T")


class ContainerCreation:
    """What one engine's containers are created with.

    Args:
        endpoint: where the engine is.
        api: how it is told.
        threads: where it is told.
        on_pull: takes the progress of pulls that a creation needs.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        api: DockerApi,
        threads: trio.CapacityLimiter,
        *,
        on_pull: Callable[[PullProgress], None] = ignore_progress,
    ) -> None:
        self.holdings = Holdings()
        self.pulls = ImagePulls(api)
        self._endpoint = endpoint
        self._api = api
        self._threads = threads
        self._on_pull = on_pull

    async def create(
        self,
        name: str,
        config: Mapping[str, Any],
        networks: tuple[str, ...] = (),
        *,
        on_removed: Callable[[], Awaitable[None]] = nothing_more,
    ) -> EngineContainer:
        """Creates a container, pulling its image where it is missing.

        Args:
            name: the container's.
            config: the body of `POST /containers/create`.
            networks: those to connect it to beyond the one that `config` names.
            on_removed: see `EngineContainer`.

        Raises:
            EngineUnreachable, ImageMissing, Refused
        """
        create = partial(self._api.create, config, name, networks)
        version = await self._ask(self._api.api_version)
        identity = await self._create_or_pull(config["Image"], create)
        # No checkpoint between the thread's end and here: the container always has an owner.
        return EngineContainer(
            self._endpoint,
            self._api,
            self._threads,
            identity=identity,
            name=name,
            api_version=version,
            holdings=self.holdings,
            on_removed=on_removed,
        )

    async def image_facts(self, image: str) -> ImageFacts:
        """What an image does by itself; pulls it where it is missing.

        Raises:
            EngineUnreachable, ImageMissing
        """
        look = partial(self._api.image_facts, image)
        with suppress(ImageMissing):
            return await self._ask(look)
        await self.pulls.pull(image, self._on_pull)
        return await self._ask(look)

    async def _create_or_pull(self, image: str, create: Callable[[], str]) -> str:
        """Creates; where the image is missing, pulls it and creates again."""
        with suppress(ImageMissing), self.holdings.creating():
            return await self._act(create)
        await self.pulls.pull(image, self._on_pull)
        with self.holdings.creating():
            return await self._act(create)

    async def _ask(self, call: Callable[[], _T]) -> _T:
        """Calls the engine in a thread, which a cancelled caller leaves to itself: for what makes nothing."""
        return await trio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._threads)

    async def _act(self, call: Callable[[], _T]) -> _T:
        """Calls the engine in a thread and gets its result, even when the caller is cancelled meanwhile."""
        return await trio.to_thread.run_sync(call, limiter=self._threads)
