"""How clients share what any one of them could fill: in turn, and none more than a share of it while there are others.

Pure but for the clock that it is given; must not know what is shared. A client is whatever tells one from another: a session, or a connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from gateway import limits

T = TypeVar("T")


def share(bound: int) -> int:
    """How much of `bound` places one client may have while there are others."""
    return max(1, bound // limits.SHARES)


class Company:
    """Whether one client is alone with what it uses. It is until another one was seen, and again after a while.

    Args:
        now: the clock, in seconds; not asked as long as there is one client only.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last: Hashable = None
        self._until: float | None = None
        """When the last client will have been alone for long enough; None where it is."""

    def __repr__(self) -> str:
        """Who was seen last, and until when there is company."""
        until = "" if self._until is None else f" until {self._until:g}"
        return f"<Company of {self._last!r}{until}>"

    def see(self, client: Hashable) -> None:
        """Notes who uses it."""
        if client != self._last:
            if self._last is not None:
                self._until = self._now() + limits.COMPANY_S
            self._last = client

    @property
    def is_alone(self) -> bool:
        """Whether nobody but one client was seen for `limits.COMPANY_S`."""
        if self._until is not None and self._now() >= self._until:
            self._until = None
        return self._until is None


class Turns(Generic[T]):
    """A queue in which each client has a line of its own, and the lines are served in turn."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, deque[T]] = {}
        """By client, the next one to be served first; none is empty."""
        self._count = 0

    def __repr__(self) -> str:
        """How many wait, of how many clients."""
        return f"<Turns of {len(self)}, {len(self._lines)} clients>"

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def __iter__(self) -> Iterator[T]:
        """All of them, client by client."""
        for line in self._lines.values():
            yield from line

    def add(self, client: Hashable, item: T) -> None:
        """Puts an item at the end of its client's line."""
        self._lines.setdefault(client, deque()).append(item)
        self._count += 1

    def take(self, count: int, *, each: int) -> list[T]:
        """The next ones: `count` of them at most, and of one client `each` at most."""
        taken: list[T] = []
        for _ in range(each):
            for client in tuple(self._lines):
                if len(taken) == count:
                    break
                taken.append(self._next(client))
        self._count -= len(taken)
        return taken

    def take_next(self) -> T:
        """The next one; its client's next one comes after those of all others.

        Raises:
            IndexError: there is none.
        """
        for client in self._lines:
            self._count -= 1
            return self._next(client)
        raise IndexError("nothing waits")

    def put_back(self, client: Hashable, item: T) -> None:
        """Undoes `take_next`: the item is the next one again."""
        line = self._lines.pop(client, deque())
        line.appendleft(item)
        self._lines = {client: line, **self._lines}
        self._count += 1

    def remove(self, client: Hashable, item: T) -> bool:
        """Takes an item out of its client's line; False where it is not in it."""
        line = self._lines.get(client)
        if line is None or item not in line:
            return False
        line.remove(item)
        if not line:
            del self._lines[client]
        self._count -= 1
        return True

    def _next(self, client: Hashable) -> T:
        """The first of a line, which is the last line now."""
        line = self._lines.pop(client)
        item = line.popleft()
        if line:
            self._lines[client] = line
        return item
