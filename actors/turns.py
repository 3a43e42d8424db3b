"""Calls that wait for one owner's containers, whose clients take turns: nobody waits behind all calls of a busy client.

Pure; must not know what they wait for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from actors.call import Call


class Turns:
    """A queue in which each client has a line of its own, and the lines are served in turn."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Call]] = {}
        """By client, the next one to be served first; none is empty."""
        self._count = 0

    def __repr__(self) -> str:
        """How many wait, of how many clients."""
        return f"<Turns of {len(self)} calls, {len(self._lines)} clients>"

    def __len__(self) -> int:
        """How many calls wait."""
        return self._count

    def __iter__(self) -> Iterator[Call]:
        """All of them, client by client."""
        for line in self._lines.values():
            yield from line

    def add(self, call: Call) -> None:
        """Puts a call at the end of its client's line."""
        self._lines.setdefault(call.client, deque()).append(call)
        self._count += 1

    def take(self) -> Call:
        """The next call; its client's next one comes after those of all others.

        Raises:
            IndexError: there is none.
        """
        for client, line in self._lines.items():
            call = line.popleft()
            del self._lines[client]
            if line:
                self._lines[client] = line
            self._count -= 1
            return call
        raise IndexError("no call waits")

    def put_back(self, call: Call) -> None:
        """Undoes `take`: the call is the next one again."""
        line = self._lines.pop(call.client, deque())
        line.appendleft(call)
        self._lines = {call.client: line, **self._lines}
        self._count += 1

    def remove(self, call: Call) -> bool:
        """Takes a call out of its line; False where it is not in it."""
        line = self._lines.get(call.client)
        if line is None or call not in line:
            return False
        line.remove(call)
        if not line:
            del self._lines[call.client]
        self._count -= 1
        return True
