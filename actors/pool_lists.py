"""When a pool's containers are asked for the server's lists, and whose the answers are. Must not know how they are read."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from actors.container import Container
from actors.reports import Reports
from gateway.catalog.model import EnabledServer
from gateway.errors import GatewayError
from gateway.mcp.listing import ServerLists
from gateway.mcp.spoken import Spoken
from gateway.telemetry.log import get_logger

log = get_logger("pool")


class PoolLists:
    """The wish for a server's lists, and what became of it.

    Args:
        reports: where lists go, and why there are none.
    """

    def __init__(self, reports: Reports) -> None:
        self.wanted = False
        """Somebody waits for them."""
        self._reports = reports

    def read_unseen(self, live: Iterable[Container]) -> None:
        """Has those read that somebody wants, or of a server that has just run and may have changed."""
        for container in live:
            unseen = (
                container.ready
                and not container.frozen
                and not container.lists.done_once
                and not container.inflight
            )
            if unseen and not container.lists.underway and (container.owner or self.wanted):
                container.lists.want()

    def failed(self, server: str, error: GatewayError) -> None:
        """Whoever waits for lists learns that there are none, and why."""
        if self.wanted:
            self.wanted = False
            self._reports.unlisted(server, error)

    def take(
        self,
        server: EnabledServer,
        container: Container,
        lists: ServerLists,
        *,
        spoken: Spoken,
        announced: bool,
    ) -> None:
        """Lists were read: everybody's, unless a container announced a change that only its owner can see."""
        self.wanted = False
        lists = structs.replace(lists, spoken=spoken)
        # A modern client has no session: its calls share a container, and its listeners are to hear of the change.
        own = server.pooling.isolation == "session" and container.life.profile.era == "legacy"
        private = own or server.pooling.isolation == "call"
        if announced and private and container.owner is not None:
            self._reports.changed_for(container.owner, server.name, lists)
        else:
            self._reports.learned(server.name, lists)
