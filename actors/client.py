"""Who one client is, as its handshake said, and so what it may be sent. Must not know servers, calls or streams."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import structs

from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Message, Notification
from gateway.mcp import content, log_levels, meta, methods, params, versions
from gateway.mcp.profile import NEUTRAL, profile_of
from gateway.mcp.versions import Version


class Client:
    """One client, unknown before its handshake."""

    def __init__(self) -> None:
        self.version: str | None = None
        """The negotiated revision; None before the handshake."""
        self.name = ""
        self.profile = NEUTRAL
        """What servers are told of it."""
        self._revision: Version | None = None

    def meet(
        self,
        version: str,
        name: str,
        capabilities: Mapping[str, msgspec.Raw],
        *,
        log_level: str = "",
    ) -> None:
        """Takes note of who it is."""
        self.version = version
        self.name = name
        self.profile = profile_of(capabilities, log_level=log_level)
        self._revision = versions.find(version)

    def set_log_level(self, level: str) -> None:
        """It wants log lines as severe as this, and more severe ones."""
        self.profile = structs.replace(self.profile, log_level=level)

    def read_by(self, method: str, result: msgspec.Raw) -> msgspec.Raw:
        """A server's result in its revision: the oldest ones lack some kinds of content."""
        row = self._revision
        if row is None or (row.audio and row.structured_output):
            return result
        try:
            return params.pack(content.for_version(method, meta.result_fields(result), row))
        except GatewayError:
            return result

    def wants(self, message: Message) -> bool:
        """Whether it wants a message: what its revision has; log lines only as severe as it asked for, if it did."""
        if not isinstance(message, Notification):
            return True
        version = self.version or versions.LATEST
        if not methods.may_pass(message.method, version=version, sender="server"):
            return False
        if message.method != "notifications/message":
            return True
        try:
            level = params.text(params.fields(message.params), "level")
        except GatewayError:
            return True
        return not self.profile.log_level or log_levels.passes(level, self.profile.log_level)
