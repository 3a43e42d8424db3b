"""What the containers of one server use, and how the memory budget sees them. Must not stop or start anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import trio

from actors import sizing
from actors.container import Container
from actors.fleet import Fleet
from actors.relief import Holding
from gateway.catalog.model import ContainerLaunch, EnabledServer
from gateway.errors import BackendError
from gateway.ports import Freezer


class PoolMemory:
    """The figures of one pool.

    Args:
        fleet: its containers.
        freezer: what measures them, None where nothing does.
        changed: told when other spares may fit than before.
    """

    def __init__(self, fleet: Fleet, freezer: Freezer | None, changed: Callable[[], None]) -> None:
        self.usual_bytes: int | None = None
        """What the greatest container used when they were measured last; None before the first was."""
        self._fleet = fleet
        self._freezer = freezer
        self._changed = changed

    async def measure(self) -> None:
        """Asks the engine what each container uses. The deadline is the caller's."""
        if (freezer := self._freezer) is None:
            return
        async with trio.open_nursery() as nursery:
            for container in self._fleet.live():
                if container.open:
                    nursery.start_soon(_measure, container, freezer)
        measured = [item.measured_bytes for item in self._fleet if item.measured_bytes]
        if (usual := max(measured, default=self.usual_bytes)) != self.usual_bytes:
            self.usual_bytes = usual
            self._changed()

    def next_bytes(self, server: EnabledServer) -> int:
        """What one more container will use: as much as the greatest of the last ones, else what it may."""
        launch = server.launch
        most = launch.memory_bytes if isinstance(launch, ContainerLaunch) else 0
        return most if self.usual_bytes is None else self.usual_bytes

    def held_bytes(self, server: EnabledServer) -> int:
        """What all of them use."""
        return sum(self._used_bytes(item, server) for item in self._fleet)

    def holdings(self, server: EnabledServer) -> list[Holding]:
        """The containers as the memory budget sees them."""
        floor = {slot.key for slot in sizing.floor(self._fleet.slots(), server.pooling)}
        return [
            Holding(
                server=server.name,
                key=item.key,
                used_bytes=self._used_bytes(item, server),
                idle_since=item.idle_since,
                idle=item.frozen or item.freezable or (item.open and not item.life.told),
                awake=item.freezable,
                owned=item.owner is not None,
                floor=item.key in floor,
            )
            for item in self._fleet
        ]

    def _used_bytes(self, container: Container, server: EnabledServer) -> int:
        """What a container uses, as far as it is known."""
        measured = container.measured_bytes
        return self.next_bytes(server) if measured is None else measured


async def _measure(container: Container, freezer: Freezer) -> None:
    """Asks the engine what a container uses; an engine that does not say leaves the former figure."""
    with suppress(BackendError):
        container.measured_bytes = await freezer.memory_bytes(container.name)
