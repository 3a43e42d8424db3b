"""Fresh request ids, and what waits behind each. Must not know what that is.

Each leg of the gateway has ids of its own: a peer's ids never travel on, so that two clients cannot meet in one.
"""

from __future__ import annotations

from typing import TypeVar

from gateway.jsonrpc.messages import Id

T = TypeVar("T")


class IdMap(dict[Id | None, T]):
    """What waits, by ids that this map gives out: 1, 2, 3 …, none of them twice. In the order of their coming.

    An id is found however its peer writes that number (`1`, `1.0`), never as a string: nobody was given one. What a peer
    names may be None, and finds nothing. A dict itself, because each call looks into several of them.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        super().__init__()
        self._last = 0

    def __repr__(self) -> str:
        """Tells how many wait, and the last id given."""
        return f"<IdMap of {len(self)}, last id {self._last}>"

    def add(self, value: T) -> int:
        """Keeps `value` under a fresh id, and returns that."""
        self._last += 1
        self[self._last] = value
        return self._last

    def drain(self) -> list[T]:
        """Removes and returns all values, oldest first. Their ids are not given again."""
        values = list(self.values())
        self.clear()
        return values
