"""What the owner of one running server has subscribed to there, and how: by requests, or by a modern server's subscription.

Must not know whose they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from actors.call import Answer, Call
from actors.listening import Listening
from actors.upstream import Upstream
from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Notification
from gateway.mcp import listen, params
from gateway.telemetry.log import get_logger

log = get_logger("container")

SUBSCRIBING: Final = frozenset({"resources/subscribe", "resources/unsubscribe"})
"""The methods that this is about."""
_UPDATED: Final = "notifications/resources/updated"


class Subscribing:
    """The subscriptions of one running server's owner, which live as long as it does.

    Args:
        server: its name.
    """

    def __init__(self, server: str) -> None:
        self.uris: set[bytes] = set()
        """The resources that are subscribed to, as JSON texts."""
        self._server = server
        self._listening: Listening | None = None
        """What a modern server tells unasked; None for others."""

    def begin(self, upstream: Upstream, *, missed: Callable[[], None]) -> None:
        """The server was greeted. `missed` is told where changes may have been missed."""
        if upstream.dialect.era == "modern":
            self._listening = Listening(upstream, missed=missed)

    async def run(self) -> None:
        """Listens, where that is how it is done; until cancelled."""
        if self._listening is not None:
            await self._listening.run()

    def take(self, call: Call) -> bool:
        """Notes a call of `SUBSCRIBING`. Gives whether it is served here: no request of its own goes out."""
        uri = bytes(call.fields["uri"])
        if call.method == "resources/subscribe":
            self.uris.add(uri)
            call.observe(self._subscribed)
        else:
            self.uris.discard(uri)
        if self._listening is None:
            return False
        self._listening.take(call)
        return True

    def as_if_changed(self) -> list[Notification]:
        """What the server would say if each resource that is subscribed to had changed."""
        return [
            Notification(_UPDATED, params.pack({"uri": msgspec.Raw(uri)}))
            for uri in sorted(self.uris)
        ]

    def passed_on(self, notification: Notification) -> Notification | None:
        """What of a notification is the owner's: a modern server's names the subscription, or is about that alone."""
        if self._listening is None:
            return notification
        if notification.method == listen.ACKNOWLEDGED:
            self._listening.acknowledged(notification)
            return None
        try:
            return listen.untagged(notification)
        except GatewayError as error:
            log.debug("bad_notification", server=self._server, reason=str(error))
            return None

    def _subscribed(self, call: Call, answer: Answer | None) -> None:
        """A subscription was made, or not: then there is nothing to stay for."""
        if not isinstance(answer, msgspec.Raw):
            self.uris.discard(bytes(call.fields["uri"]))
