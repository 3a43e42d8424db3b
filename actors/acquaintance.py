"""How a session gets to know its client: by the handshake, or from what an earlier gateway has kept of it.

Whatever is learned here is told to the servers, and remembered for the next gateway. Must not know streams or calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from actors.back_channel import BackChannel
from actors.client import Client
from actors.client_view import ClientView
from actors.house import House
from actors.session_calls import Caller
from actors.subscriptions import Subscriptions
from gateway.catalog.model import EnabledServer
from gateway.errors import InvalidParams, Malformed
from gateway.mcp import handshake, log_levels, params, versions
from gateway.mcp.identity import SERVER_INFO
from gateway.session_records import SessionRecord
from gateway.telemetry.log import get_logger

log = get_logger("session")

_SHOWN_CHARS: Final = 100
"""Of what a client sent, in a message."""


class Acquaintance:
    """The acquaintance of one session with its client.

    Args:
        session: whose it is.
        transport: how the client is reached, for the log.
        client: told who it is.
        view: what it is shown.
        back_channel: told what it serves.
        subscriptions: what it has subscribed to.
        house: where the servers are.
    """

    def __init__(
        self,
        session: Caller,
        *,
        transport: str,
        client: Client,
        view: ClientView,
        back_channel: BackChannel,
        subscriptions: Subscriptions,
        house: House,
    ) -> None:
        self._session = session
        self._transport = transport
        self._client = client
        self._view = view
        self._back_channel = back_channel
        self._subscriptions = subscriptions
        self._house = house

    def initialize(self, asked: msgspec.Raw | None) -> msgspec.Raw:
        """Does the handshake; gives the result of `initialize` with these params.

        Source: MCP 2025-11-25, basic/lifecycle, "Initialization" and "Version Negotiation".

        Raises:
            Malformed: it was done already.
            InvalidParams: a member is missing or ill-typed.
        """
        if self._client.version is not None:
            raise Malformed("this session is initialized already")
        hello = handshake.parse_initialize(asked)
        version = versions.negotiate(hello.version)
        self._meet(version, hello.client_name, hello.capabilities)
        directory = self._view.show_all()
        log.info("client_connected", client=self._client.name, transport=self._transport)
        return handshake.initialize_result(
            version,
            capabilities=directory.capabilities(),
            instructions=directory.instructions(),
            server_info=SERVER_INFO,
        )

    def set_log_level(self, asked: msgspec.Raw | None) -> None:
        """Keeps the level that `logging/setLevel` names, and tells the servers.

        Raises:
            InvalidParams: there is no such level.
        """
        level = params.text(params.fields(asked), "level")
        if not log_levels.known(level):
            raise InvalidParams(
                f"log level {level[:_SHOWN_CHARS]!r} is unknown; use one of {', '.join(log_levels.LEVELS)}"
            )
        self._client.set_log_level(level)
        for door in self._house.doors.values():
            door.set_log_level(self._session.owner, level)
        self._house.remember(self._session)

    def record(self) -> SessionRecord | None:
        """What another gateway needs to go on with this session; None before the handshake."""
        if self._client.version is None:
            return None
        return SessionRecord(
            principal=self._session.principal.name,
            protocol_version=self._client.version,
            client_name=self._client.name,
            capabilities=self._back_channel.capabilities,
            log_level=self._client.profile.log_level,
            subscriptions=self._subscriptions.servers,
        )

    def resume(self, record: SessionRecord, *, owner_of: Callable[[EnabledServer], str]) -> None:
        """Goes on with a session of another gateway; what its servers had for it is made anew.

        Args:
            record: what that has kept.
            owner_of: whose container serves the client at a server.
        """
        self._meet(
            record.protocol_version,
            record.client_name,
            record.capabilities,
            log_level=record.log_level,
        )
        self._subscriptions.renew(
            record.subscriptions,
            self._house,
            owner_of=owner_of,
            profile=self._client.profile,
        )
        log.info("client_resumed", client=self._client.name, transport=self._transport)

    def _meet(
        self,
        version: str,
        client_name: str,
        capabilities: Mapping[str, msgspec.Raw],
        *,
        log_level: str = "",
    ) -> None:
        """Takes note of who the client is, and has the servers expect it."""
        self._client.meet(version, client_name, capabilities, log_level=log_level)
        self._back_channel.capabilities = capabilities
        self._back_channel.version = version
        for door in self._house.doors.values():
            door.expect(self._client.profile)
        self._house.remember(self._session)
