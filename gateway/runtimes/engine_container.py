"""One container of an engine: its name, its life, its requests. Must not know what runs in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final
from urllib.parse import quote

import msgspec
import trio

from gateway import limits
from gateway.errors import BackendError
from gateway.runtimes.container_link import ContainerStream
from gateway.runtimes.dial import dial
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_http import LongPost, Refused
from gateway.runtimes.holdings import Holdings
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")

ATTACH_SERVER: Final = "attach?stream=1&stdin=1&stdout=1&stderr=1"
ATTACH_OUTPUT: Final = "attach?stream=1&stdout=1&stderr=1"


class _Waited(msgspec.Struct):
    status: int = msgspec.field(name="StatusCode")


async def nothing_more() -> None:
    """There is nothing to do after a container's end."""


class EngineContainer:
    """A container that was created; whoever holds this removes it.

    `on_removed` is awaited once it was removed, or could not be; within the time that the removal has.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        api: DockerApi,
        threads: trio.CapacityLimiter,
        *,
        identity: str,
        name: str,
        api_version: str,
        holdings: Holdings,
        on_removed: Callable[[], Awaitable[None]] = nothing_more,
    ) -> None:
        self._endpoint = endpoint
        self._api = api
        self._threads = threads
        self.identity = identity
        self._name = name
        self._api_version = api_version
        self._holdings = holdings
        self._on_removed = on_removed
        # The question for its end, asked once; whoever asks for the status waits for this answer, one at a time.
        self._end: LongPost | None = None
        self._asking = trio.Lock()
        holdings.hold(identity)

    def __repr__(self) -> str:
        """Name and short id."""
        return f"<EngineContainer {self._name} {self.identity[:12]}>"

    @property
    def name(self) -> str:
        """The container's name."""
        return self._name

    def target(self, rest: str) -> str:
        """The path of one of the engine's requests on this container."""
        return f"/v{self._api_version}/containers/{quote(self.identity)}/{rest}"

    async def unpack(self, archive: bytes) -> None:
        """Puts the files of a tar archive into it, at its root.

        Raises:
            EngineUnreachable, Refused
        """
        await self._call(partial(self._api.unpack, self.identity, archive))

    async def runs(self) -> bool:
        """Whether it runs; False where it is gone.

        Raises:
            EngineUnreachable, Refused
        """
        look = partial(self._api.runs, self.identity)
        return await trio.to_thread.run_sync(look, abandon_on_cancel=True, limiter=self._threads)

    async def start(self) -> None:
        """Starts it. A cancelled caller waits for the engine's answer, so that the outcome is known.

        Raises:
            EngineUnreachable, Refused
        """
        await trio.to_thread.run_sync(
            partial(self._api.start, self.identity), limiter=self._threads
        )

    async def exit_status(self) -> int | None:
        """Waits for its end; None where the engine no longer knows.

        Cancellation: the engine goes on waiting, and the next one who asks is told what it saw: it forgets the status with
        the container, which it removes soon after the end.

        Raises:
            EngineUnreachable
        """
        async with self._asking:
            if self._end is None:
                self._end = LongPost(await dial(self._endpoint), self.target("wait"))
            try:
                answer = await self._end.answer()
                return msgspec.json.decode(answer, type=_Waited).status
            except (Refused, msgspec.DecodeError):
                # Removed already: AutoRemove was faster.
                return None

    async def terminate(self) -> None:
        """SIGTERM; fine if it has ended.

        Raises:
            EngineUnreachable, Refused
        """
        await self._call(partial(self._api.terminate, self.identity))

    async def remove(self) -> None:
        """Kills it if need be, and removes it with its anonymous volumes; fine if it is gone.

        Raises:
            EngineUnreachable, Refused
        """
        try:
            await self._remove()
        finally:
            with trio.move_on_after(limits.REMOVE_TIMEOUT_S, shield=True):
                if self._end is not None:
                    await self._end.aclose()
                await self._on_removed()

    async def _remove(self) -> None:
        removed = False
        try:
            await self._call(partial(self._api.remove, self.identity))
            removed = True
        except BackendError as error:
            _log.warning("container_not_removed", container=self._name, error=str(error))
            raise
        finally:
            self._holdings.release(self.identity, removed=removed)

    async def _call(self, call: Callable[[], None]) -> None:
        """For what may be left to itself when the caller's time is up: a removal goes on all the same."""
        await trio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._threads)


async def discard(container: EngineContainer, stream: ContainerStream | None) -> None:
    """Closes and removes; what cannot be removed was logged, and the reaper finds that nobody holds it."""
    if stream is not None:
        await stream.aclose()
    with suppress(BackendError):
        await container.remove()
