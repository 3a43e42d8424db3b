"""One ASGI request in memory: the clock can be mocked, which it cannot over sockets."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import trio

from gateway.transports.asgi_call import AsgiCall


class AsgiRequest:
    """A request whose body and end the test feeds, and whose answer it reads."""

    def __init__(
        self, method: str = "GET", path: str = "/", query: bytes = b"", **headers: str
    ) -> None:
        self.scope: MutableMapping[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "scheme": "http",
            "query_string": query,
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
        }
        self.sent: list[MutableMapping[str, Any]] = []
        self._feed, self._events = trio.open_memory_channel[MutableMapping[str, Any]](10)

    @property
    def call(self) -> AsgiCall:
        """The request as the transports see it."""
        return AsgiCall(self.scope, self._events.receive, self._send)

    def body(self, piece: bytes, *, more: bool = False) -> None:
        """A piece of the body arrives."""
        self._feed.send_nowait({"type": "http.request", "body": piece, "more_body": more})

    def leave(self) -> None:
        """The client disconnects."""
        self._feed.send_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The answer's headers."""
        return dict(self.sent[0]["headers"])

    @property
    def answer(self) -> bytes:
        """What was sent of the answer's body."""
        return b"".join(event["body"] for event in self.sent[1:])

    @property
    def ended(self) -> bool:
        """Whether the answer was brought to its end."""
        return bool(self.sent) and self.sent[-1].get("more_body") is False

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(event)
