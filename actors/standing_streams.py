"""The streams of one session for messages that belong to no request. Must not know who sends them, nor why.

A client may open several, on a transport where each is a request of its own; one of them gets the messages.
"""

from __future__ import annotations

from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Message, Notification
from gateway.ports import Outlet


class StandingStreams:
    """The open ones; the newest is used."""

    def __init__(self) -> None:
        self._outlets: list[Outlet] = []

    def __len__(self) -> int:
        """How many are open."""
        return len(self._outlets)

    def attach(self, outlet: Outlet) -> None:
        """Uses this one from now on."""
        self._outlets.append(outlet)

    def detach(self, outlet: Outlet) -> None:
        """Forgets one, if it is there."""
        if outlet in self._outlets:
            self._outlets.remove(outlet)

    def tell(self, message: Message) -> bool:
        """Sends a message; False where there is no stream for it."""
        if not self._outlets:
            return False
        self._outlets[-1].send(codec.encode(message), skippable=isinstance(message, Notification))
        return True

    def end(self) -> None:
        """Ends all of them."""
        for outlet in self._outlets:
            outlet.finish(None)
        self._outlets.clear()
