"""The calls of one server that wait for a container, by owner, their clients in turn. Must not know what they wait for."""

from __future__ import annotations

from collections.abc import Callable

from actors.answers import failure_of
from actors.call import Call
from gateway.errors import GatewayError
from gateway.sharing import Turns


class WaitingCalls:
    """The queues; also the holder of the calls in them.

    Args:
        left: told whenever a call was withdrawn.
    """

    def __init__(self, left: Callable[[], None]) -> None:
        self.queues: dict[str, Turns[Call]] = {}
        """By owner; none is empty. A warm call only looks whether its owner is here."""
        self._left = left

    def __len__(self) -> int:
        """How many calls wait."""
        return sum(len(queue) for queue in self.queues.values())

    def count(self, owner: str) -> int:
        """How many calls of that owner wait."""
        return len(self.queues.get(owner, ()))

    def add(self, call: Call) -> None:
        """Puts a call at the end of its client's line."""
        call.holder = self
        self.queues.setdefault(call.owner, Turns()).add(call.client, call)

    def take(self, owner: str) -> Call | None:
        """The next call of an owner, which waits no longer; None where there is none."""
        queue = self.queues.get(owner)
        if queue is None:
            return None
        call = queue.take_next()
        if not queue:
            del self.queues[owner]
        call.holder = None
        return call

    def withdraw(self, call: Call, reason: str) -> None:  # noqa: ARG002 - nobody has to be told
        """Takes a call out of its queue."""
        queue = self.queues.get(call.owner)
        if queue is not None and queue.remove(call.client, call) and not queue:
            del self.queues[call.owner]
        call.holder = None
        self._left()

    def place_again(self, owner: str, place: Callable[[Call], None]) -> None:
        """Takes an owner's calls out and places them, one by one, until one is queued again."""
        queue = self.queues.pop(owner, None)
        while queue:
            call = queue.take_next()
            call.holder = None
            place(call)
            if owner in self.queues:
                # Queued again, so there is no room for those behind it either; and it goes on being the next one.
                queue.put_back(call.client, call)
                self.queues[owner] = queue
                return

    def withdraw_all(self, owner: str) -> None:
        """The owner left."""
        for call in list(self.queues.get(owner, ())):
            call.withdraw("owner left")

    def fail(self, owner: str, error: GatewayError) -> None:
        """Answers an owner's calls with an error."""
        for call in self.queues.pop(owner, ()):
            call.settle(failure_of(error))

    def fail_all(self, error: GatewayError) -> None:
        """Answers every call with an error."""
        waiting, self.queues = self.queues, {}
        for queue in waiting.values():
            for call in queue:
                call.settle(failure_of(error))
