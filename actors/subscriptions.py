"""The resources that one legacy client has subscribed to: who tells of them, and how they are subscribed to again.

Must not know streams; it makes calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from actors.call import Answer, Call
from actors.house import House
from gateway.catalog.model import EnabledServer
from gateway.jsonrpc import codec
from gateway.mcp.profile import ClientProfile
from gateway.ports import Route


class Subscriptions:
    """The servers of the resources, by URI."""

    def __init__(self) -> None:
        self._servers: dict[str, str] = {}

    def __len__(self) -> int:
        """How many resources."""
        return len(self._servers)

    @property
    def servers(self) -> Mapping[str, str]:
        """The server of each resource, by URI."""
        return dict(self._servers)

    def note(self, call: Call, route: Route, answer: Answer | None) -> bool:
        """Takes over what an ended call says; whether that changes anything."""
        if call.method == "resources/subscribe" and isinstance(answer, msgspec.Raw):
            self._servers[route.name] = route.server
            return True
        if call.method == "resources/unsubscribe":
            return self._servers.pop(route.name, None) is not None
        return False

    def has(self, server: str, uri: str) -> bool:
        """Whether the client wants to know of changes of that resource."""
        return self._servers.get(uri) == server

    def renew(
        self,
        servers: Mapping[str, str],
        house: House,
        *,
        owner_of: Callable[[EnabledServer], str],
        profile: ClientProfile,
    ) -> None:
        """Subscribes to all that another gateway was subscribed to for this client; what is there no longer is left out."""
        for uri, server in servers.items():
            door = house.doors.get(server)
            if door is None:
                continue
            self._servers[uri] = server
            door.submit(
                Call(
                    "resources/subscribe",
                    {"uri": codec.raw(uri)},
                    server=server,
                    owner=owner_of(door.server),
                    timeout_s=door.server.pooling.timeout_s,
                    profile=profile,
                    settled=self._renewed,
                    relayed=lambda _call, _message: None,
                )
            )

    def _renewed(self, call: Call, answer: Answer | None) -> None:
        """One was renewed, or not."""
        if not isinstance(answer, msgspec.Raw):
            lost = msgspec.json.decode(call.fields["uri"], type=str)
            self._servers.pop(lost, None)
