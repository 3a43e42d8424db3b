"""Requests to one server that stay open, which no answer ends: subscriptions. They keep nobody busy."""

from __future__ import annotations

from actors.call import Answer, Call
from gateway.jsonrpc.messages import Id


class Standing:
    """The open ones, by ids of their own."""

    def __init__(self) -> None:
        self._open: dict[Id, Call] = {}
        self._last = 0

    def add(self, call: Call) -> Id:
        """Takes one in; gives its id."""
        self._last += 1
        number = f"listen-{self._last}"
        self._open[number] = call
        return number

    def drop(self, number: Id) -> bool:
        """Forgets one; False where it is none."""
        return self._open.pop(number, None) is not None

    def settle(self, number: Id, answer: Answer) -> bool:
        """Ends one; False where it is none."""
        if (call := self._open.pop(number, None)) is None:
            return False
        call.settle(answer)
        return True

    def end(self, answer: Answer) -> None:
        """The server is gone, and with it all of them."""
        opened, self._open = self._open, {}
        for call in opened.values():
            call.settle(answer)
