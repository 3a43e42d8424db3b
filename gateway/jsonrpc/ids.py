"""Fresh request ids, and what waits behind each. Must not know what that is.

Each leg of the gateway has ids of its own: a peer's ids never travel on, so that two clients cannot meet in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from gateway.jsonrpc.messages import Id

T = TypeVar("T")


class IdMap(Generic[T]):
    """Values under ids that this map gives out: 1, 2, 3 …, none of them twice.

    An id is found however its peer writes that number (`1`, `1.0`), never as a string: nobody was given one.
    """

    def __init__(self) -> None:
        self._last = 0
        self._values: dict[Id, T] = {}

    def __repr__(self) -> str:
        """Tells how many wait, and the last id given."""
        return f"<IdMap of {len(self)}, last id {self._last}>"

    def __len__(self) -> int:
        """How many values wait."""
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        """The waiting values, oldest first."""
        return iter(self._values.values())

    def add(self, value: T) -> int:
        """Keeps `value` under a fresh id, and returns that."""
        self._last += 1
        self._values[self._last] = value
        return self._last

    def get(self, request_id: Id | None) -> T | None:
        """The value under that id, None where nothing waits there."""
        return None if request_id is None else self._values.get(request_id)

    def pop(self, request_id: Id | None) -> T | None:
        """Removes and returns the value under that id; None where nothing waits there (any more)."""
        return None if request_id is None else self._values.pop(request_id, None)

    def drain(self) -> list[T]:
        """Removes and returns all values, oldest first. Their ids are not given again."""
        values = list(self._values.values())
        self._values.clear()
        return values
