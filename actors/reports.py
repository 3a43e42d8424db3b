"""What a server's pool tells: its news to whoever keeps sessions and lists, its state to people. Types only."""

from __future__ import annotations

from typing import Protocol

import msgspec

from actors.server_request import ServerRequest
from actors.tally import Tallied
from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Notification
from gateway.mcp.listing import ServerLists


class Reports(Protocol):
    """Where a pool's news go. All of it returns at once."""

    def learned(self, server: str, lists: ServerLists) -> None:
        """These are the server's lists."""

    def unlisted(self, server: str, error: GatewayError) -> None:
        """The server's lists could not be read."""

    def changed_for(self, owner: str, server: str, lists: ServerLists | None) -> None:
        """The lists as this owner's own container has them now; None: as everybody's again."""

    def notified(self, owner: str, server: str, notification: Notification) -> None:
        """A server's notification that belongs to no call."""

    def asked(self, owner: str, request: ServerRequest) -> None:
        """A server wants something of its client; answered at once where nobody can be asked."""

    def last_words(self, server: str, stderr: str) -> None:
        """A server has ended; this is the end of its stderr."""


class PoolState(msgspec.Struct, frozen=True):
    """A pool for people: `containers` are `(name, state, owner, calls in flight, age in seconds)`."""

    server: str
    containers: tuple[tuple[str, str, str | None, int, float], ...]
    waiting: int
    failures: int
    last_error: str
    mail: int = 0
    """What waits in its mailbox."""
    tally: Tallied = Tallied()
    memory_bytes: int = 0
    """What its containers use: as measured last, else the most that they may."""
