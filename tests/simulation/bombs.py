"""Has actors crash when told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from actors.kit.supervisor import ChildSpec


class Crash(Exception):
    """What an actor is made to crash of."""


class Bombs:
    """Has actors crash when told."""

    def __init__(self) -> None:
        self._fuses: dict[str, trio.Event] = {}

    def spec(self, **fields: Any) -> ChildSpec:
        """Stands for `ChildSpec`."""
        name = fields["name"]
        return ChildSpec(**{**fields, "run": partial(self._run, name, fields["run"])})

    def explode(self, name: str) -> bool:
        """Has the actor of that name, or whose name begins so, crash."""
        for key, fuse in self._fuses.items():
            if key == name or key.startswith(f"{name}:"):
                fuse.set()
                return True
        return False

    async def _run(self, name: str, run: Callable[[], Any]) -> None:
        fuse = self._fuses[name] = trio.Event()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wait, fuse)
                await run()
                nursery.cancel_scope.cancel()
        finally:
            if self._fuses.get(name) is fuse:
                del self._fuses[name]

    async def _wait(self, fuse: trio.Event) -> None:
        await fuse.wait()
        raise Crash("as told")
