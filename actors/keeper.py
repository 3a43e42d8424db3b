"""Who keeps running servers, as these see it: a pool. Must not know how either of them works."""

from __future__ import annotations

from typing import Protocol, TypeVar

from actors.call import Call
from actors.server_request import ServerRequest
from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Notification
from gateway.mcp.listing import ServerLists

Kept_contra = TypeVar("Kept_contra", contravariant=True)
"""What is kept: one running server."""


class Keeper(Protocol[Kept_contra]):
    """The pool, as its containers see it. All of it returns at once."""

    def opened(self, container: Kept_contra) -> None:
        """It runs, and waits to be told of a client."""

    def became_ready(self, container: Kept_contra) -> None:
        """The handshake is done."""

    def thawed(self, container: Kept_contra) -> None:
        """It was frozen, and takes calls again."""

    def has_room(self, container: Kept_contra) -> None:
        """A call was answered."""

    def untaken(self, container: Kept_contra, call: Call | None, reason: str) -> bool:
        """It takes no more calls, and has not executed that one; True where the call is sent to another now."""

    def lost(self, container: Kept_contra, call: Call, reason: str) -> bool:
        """Nobody knows whether it executed that call; True where the call is sent once more now."""

    def free_earlier(self, container: Kept_contra) -> None:
        """It may be idle sooner than it seemed: a task is over, or a subscription."""

    def exited(self, container: Kept_contra, error: GatewayError | None) -> None:
        """Nothing of it is left; `error` says why where nobody asked it to stop."""

    def listed(self, container: Kept_contra, lists: ServerLists, *, announced: bool) -> None:
        """Its lists were read; `announced`: because the server said that they changed."""

    def list_failed(self, container: Kept_contra, error: GatewayError) -> None:
        """Its lists could not be read."""

    def notified(self, container: Kept_contra, notification: Notification) -> None:
        """It sent a notification that belongs to no call."""

    def asked(self, container: Kept_contra, request: ServerRequest) -> None:
        """It wants something of its client."""
