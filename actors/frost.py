"""Whether one running container is frozen, and the way there and back. Must not know when it is better frozen."""

from __future__ import annotations

import trio

from gateway.errors import BackendError
from gateway.ports import Freezer
from gateway.telemetry.log import get_logger

log = get_logger("container")


class Frost:
    """The frost on one container. It counts as frozen from the wish to freeze it until it has thawed.

    Args:
        freezer: what freezes it.
        name: the container's.
    """

    def __init__(self, freezer: Freezer, name: str) -> None:
        self.frozen = False
        """It takes no calls."""
        self._freezer = freezer
        self._name = name
        self._cold = trio.Event()
        """Set by the wish to freeze it; replaced once it has thawed."""
        self._warm = trio.Event()
        """Set by the wish to thaw it, likewise."""

    @property
    def thawing(self) -> bool:
        """Whether it will take calls soon."""
        return self.frozen and self._warm.is_set()

    def freeze(self) -> None:
        """Has it frozen. Nothing may be asked of it before it is thawed."""
        self.frozen = True
        self._cold.set()

    def thaw(self) -> None:
        """Has it thawed, as soon as it is frozen."""
        if self.frozen:
            self._warm.set()

    async def next_thaw(self) -> None:
        """Waits for the next time that it was frozen and has thawed.

        Cancellation: it may be frozen.

        Raises:
            BackendError: it cannot be thawed.
        """
        await self._cold.wait()
        try:
            await self._freezer.freeze(self._name)
        except BackendError as error:
            # Then it stays awake, which costs memory and nothing else.
            log.info("not_frozen", name=self._name, reason=str(error))
        else:
            await self._warm.wait()
            await self._freezer.thaw(self._name)
        self._cold, self._warm = trio.Event(), trio.Event()
        self.frozen = False
