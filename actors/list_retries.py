"""When a server's lists are tried again that could not be read. Must not know servers, lists, or who reads them."""

from __future__ import annotations

import math

import msgspec

from gateway import limits


class Failed(msgspec.Struct, frozen=True):
    """A server whose lists could not be read: how often in a row, when last, and why."""

    times: int
    at: float
    reason: str

    @property
    def due(self) -> float:
        """From when on they may be tried again."""
        pause_s = math.ldexp(limits.LIST_RETRY_FLOOR_S, self.times - 1)
        return self.at + min(pause_s, limits.LIST_RETRY_S)


class ListRetries:
    """The servers whose lists could not be read, by name."""

    def __init__(self) -> None:
        self._failed: dict[str, Failed] = {}
        self._pending: set[str] = set()
        """Those of them that are tried again though nobody asks."""

    def failed(self, server: str, reason: str, now: float) -> None:
        """It has failed, perhaps again."""
        times = self._failed[server].times + 1 if server in self._failed else 1
        self._failed[server] = Failed(times, now, reason)
        if times <= limits.LIST_RETRIES:
            self._pending.add(server)

    def forget(self, server: str) -> None:
        """It was read, or is another server now."""
        self._failed.pop(server, None)
        self._pending.discard(server)

    def reason(self, server: str) -> str:
        """Why it failed last, "" where it did not."""
        return self._failed[server].reason if server in self._failed else ""

    def hopeless(self, server: str, now: float) -> bool:
        """Whether nobody should wait for it now: it has failed, and is tried again by itself, or not before some time."""
        failed = self._failed.get(server)
        return failed is not None and (now < failed.due or failed.times <= limits.LIST_RETRIES)

    def next_due(self) -> float:
        """When one is to be tried again; infinite where there is none."""
        return min((self._failed[name].due for name in self._pending), default=math.inf)

    def take_due(self, now: float) -> list[str]:
        """Those that are to be tried again now. Each is named once for each failure."""
        due = sorted(name for name in self._pending if self._failed[name].due <= now)
        self._pending.difference_update(due)
        return due
