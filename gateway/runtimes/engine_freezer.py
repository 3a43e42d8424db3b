"""What an engine does with a running container besides carrying its bytes: pause it, measure it. Must not know who uses it.

Source: Docker Engine API, `ContainerPause`, `ContainerUnpause`, `ContainerStats`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

from gateway.runtimes.docker_api import DockerApi

_T = TypeVar("_T")


class EngineFreezer:
    """`ports.Freezer` on one engine. Containers go by their names."""

    def __init__(self, api: DockerApi, threads: trio.CapacityLimiter) -> None:
        self._api = api
        self._threads = threads

    async def freeze(self, name: str) -> None:
        """Pauses a container; a cancelled caller waits, so that what it is then is known."""
        await trio.to_thread.run_sync(partial(self._api.pause, name), limiter=self._threads)

    async def thaw(self, name: str) -> None:
        """Has a paused container go on."""
        await self._ask(partial(self._api.unpause, name))

    async def memory_bytes(self, name: str) -> int:
        """What it uses now, without what the kernel may drop at once."""
        return await self._ask(partial(self._api.memory_bytes, name))

    async def _ask(self, call: Callable[[], _T]) -> _T:
        return await trio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._threads)
