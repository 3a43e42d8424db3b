"""The containers of one server as a set: found by number and by owner, started, retired. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import trio

from actors.assignment import Slot
from actors.container import Container


class Fleet:
    """From the decision to start a container until nothing of it is left, it is in here."""

    def __init__(self) -> None:
        self.by_owner: dict[str, Container] = {}
        """The newest container of an owner: the short cut of warm calls."""
        self._set_out: dict[str, list[Container]] = {}
        """Spares by kind, the next one last: the short cut of first calls. Some may have become unfit since."""
        self._containers: dict[int, Container] = {}
        self._to_start: list[Container] = []
        self._last_key = 0

    def __iter__(self) -> Iterator[Container]:
        """All of them, the oldest first."""
        return iter(tuple(self._containers.values()))

    def __getitem__(self, key: int) -> Container:
        """The one of that number."""
        return self._containers[key]

    def next_key(self) -> int:
        """A number that no container had yet."""
        self._last_key += 1
        return self._last_key

    def add(self, container: Container) -> None:
        """Takes in one that is to be started."""
        self._containers[container.key] = container
        self._to_start.append(container)

    def start_new(self, nursery: trio.Nursery) -> None:
        """Starts what was taken in since the last time."""
        for container in self._to_start:
            nursery.start_soon(container.run)
        self._to_start.clear()

    def set_out(self, spares: Mapping[str, Iterable[int]]) -> None:
        """Has first calls find these spares, by kind, without a decision; the next one is the last."""
        self._set_out = {
            kind: [self._containers[key] for key in keys] for kind, keys in spares.items()
        }

    def take_spare(self, kind: str, max_inflight: int) -> Container | None:
        """The next of the spares of that kind that were set out and still are spares; None where none is left."""
        spares = self._set_out.get(kind)
        while spares:
            spare = spares.pop()
            if spare.owner is None and not spare.frozen and spare.has_room(max_inflight):
                return spare
        return None

    def hand_over(self, container: Container, owner: str) -> None:
        """From now on it is that owner's."""
        container.owner = owner
        self.by_owner[owner] = container

    def freeze(self, container: Container) -> None:
        """Has a container stand still; calls no longer find it by the short cut."""
        if container.freezable:
            self._disown(container)
            container.freeze()

    def of(self, owner: str) -> Container | None:
        """The newest container of that owner, frozen or not."""
        if (container := self.by_owner.get(owner)) is not None:
            return container
        return next((item for item in self.owned(owner) if item.frozen), None)

    def retire(self, container: Container) -> None:
        """Takes a container out of use: at once where it is idle, after its calls where it is not."""
        container.retire()
        self._disown(container)
        if not container.inflight:
            container.stop()

    def pass_over(self, container: Container) -> None:
        """Gives a container no more calls; it ends by itself, or once it is looked at."""
        container.retire()
        self._disown(container)

    def remove(self, container: Container) -> None:
        """Nothing of it is left."""
        self._containers.pop(container.key, None)
        self._disown(container)

    def clear(self) -> None:
        """Nothing of any is left."""
        self._to_start.clear()
        self._containers.clear()
        self._set_out.clear()
        self.by_owner.clear()

    async def kill(self) -> None:
        """Ends every container at once, also while it is being stopped patiently."""
        async with trio.open_nursery() as nursery:
            for container in self:
                nursery.start_soon(container.kill)

    def owned(self, owner: str) -> list[Container]:
        """All of that owner."""
        return [container for container in self if container.owner == owner]

    def live(self) -> list[Container]:
        """Those that take calls, or will."""
        return [container for container in self if not container.stale]

    def slots(self) -> list[Slot]:
        """All of them as the decisions see them."""
        return [container.slot() for container in self]

    def _disown(self, container: Container) -> None:
        """Takes the short cut to it away."""
        owner = container.owner
        if owner is not None and self.by_owner.get(owner) is container:
            del self.by_owner[owner]
