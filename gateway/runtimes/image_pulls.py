"""Pulls images, each at most once at a time. Must not know why an image is wanted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from gateway import limits
from gateway.errors import ImageMissing
from gateway.runtimes.docker_api import DockerApi
from gateway.runtimes.engine_facts import PullProgress

_REPORT_PERIOD_S: Final = 0.5
"""A pull has thousands of events; people read two a second."""


def ignore_progress(progress: PullProgress) -> None:
    """Shows nothing."""
    del progress


class ImagePulls:
    """The pulls of one engine."""

    def __init__(self, api: DockerApi) -> None:
        self._api = api
        self._threads = trio.CapacityLimiter(limits.PULL_THREADS)
        # One lock per image being pulled; dropped with its last waiter.
        self._locks: dict[str, trio.Lock] = {}
        # Failures of late, and when: whoever waited for that pull gets the same answer.
        self._failures: dict[str, tuple[float, str]] = {}

    async def pull(self, image: str, progress: Callable[[PullProgress], None]) -> None:
        """Pulls `image`, or waits for the pull of it that is under way.

        Cancellation: the next one who waits goes on with it.

        Raises:
            EngineUnreachable, ImageMissing
        """
        waited = image in self._locks
        lock = self._locks.setdefault(image, trio.Lock())
        try:
            async with lock:
                if waited and await self._settled(image):
                    return
                await self._pull(image, progress)
        finally:
            if not lock.statistics().owner and not lock.statistics().tasks_waiting:
                self._locks.pop(image, None)

    async def _settled(self, image: str) -> bool:
        """Whether the pull that was waited for brought the image. Raises its failure."""
        at, reason = self._failures.get(image, (-limits.PULL_RETRY_S, ""))
        if trio.current_time() - at < limits.PULL_RETRY_S:
            raise ImageMissing(reason)
        find = partial(self._api.image_id, image)
        present = await trio.to_thread.run_sync(find, abandon_on_cancel=True, limiter=self._threads)
        return present is not None

    async def _pull(self, image: str, progress: Callable[[PullProgress], None]) -> None:
        self._failures.pop(image, None)
        throttled = _Throttled(progress)

        def report(event: PullProgress) -> None:
            # An abandoned pull ends here.
            trio.from_thread.check_cancelled()
            trio.from_thread.run_sync(throttled, event)

        try:
            await trio.to_thread.run_sync(
                partial(self._api.pull, image, report),
                abandon_on_cancel=True,
                limiter=self._threads,
            )
        except ImageMissing as error:
            self._failures[image] = (trio.current_time(), str(error))
            raise


class _Throttled:
    """Lets progress through at a bearable pace; two a second."""

    def __init__(self, progress: Callable[[PullProgress], None]) -> None:
        self._progress = progress
        self._next = 0.0

    def __call__(self, event: PullProgress) -> None:
        now = trio.current_time()
        if now >= self._next:
            self._next = now + _REPORT_PERIOD_S
            self._progress(event)
