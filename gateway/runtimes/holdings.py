"""Which containers of this gateway somebody takes care of, so that the others can be found. Must not know engines.

An engine that is restarted, or does not answer in time, may have a container that it was asked to remove, or one whose
creation it never told of. Its labels say that it is ours, and here nobody holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import trio

from gateway.runtimes.engine_facts import Found


class Holdings:
    """The containers that have an owner."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._creating = 0
        """Creations under way: what they make has no owner yet."""
        self._dropped = trio.Event()
        """Set where something may be left on the engine that nobody holds."""

    @contextmanager
    def creating(self) -> Iterator[None]:
        """While a container is being created: it may be there before its id is known. A failure may have left one."""
        self._creating += 1
        created = False
        try:
            yield
            created = True
        finally:
            self._creating -= 1
            if not created:
                self._dropped.set()

    def hold(self, identity: str) -> None:
        """It has an owner from now on."""
        self._held.add(identity)

    def release(self, identity: str, *, removed: bool) -> None:
        """Its owner has done what it could; `removed`: the engine has confirmed that it is gone."""
        self._held.discard(identity)
        if not removed:
            self._dropped.set()

    def drop(self) -> None:
        """Something nobody holds could not be removed."""
        self._dropped.set()

    async def dropped(self) -> None:
        """Returns once something may be left since this was last asked."""
        await self._dropped.wait()
        self._dropped = trio.Event()

    def orphans(self, found: Iterable[Found]) -> list[Found]:
        """Those that nobody holds; none while one is being created, for it might be among them."""
        if self._creating:
            self._dropped.set()
            return []
        return [item for item in found if item.id not in self._held]
