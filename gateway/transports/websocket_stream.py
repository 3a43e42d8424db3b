"""WebSockets as hypercorn serves them, with what it lacks. Imported by `listen` only, and as late.

What it lacks: it inflates compressed messages before it looks at their length, goes on collecting one that is too long,
and does not tell its application; it pings on after the end; it forgets connections that broke the handshake's rules.

Source: RFC 6455 §4.2, §5.5 and §7.4.1.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import trio
from hypercorn.protocol import h2, h11
from hypercorn.protocol.events import Body, Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import ASGISendEvent, WebsocketAcceptEvent
from wsproto.events import Ping
from wsproto.frame_protocol import CloseReason

_NO_PINGS: Final = float("inf")


def install() -> None:
    """Makes hypercorn use it; the version is pinned. Its protocols take the class from their own modules only."""
    for protocol in (h11, h2):
        protocol.WSStream = BoundedWebSocket  # type: ignore[attr-defined] # not its public face


class BoundedWebSocket(WSStream):
    """One WebSocket on one connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._over = trio.Event()
        self._refused: Literal["no", "by us", "by hypercorn"] = "no"
        """Who refuses the handshake. Of two refusals the first counts; hypercorn would send both, and fall over."""

    async def handle(self, event: Event) -> None:
        """Takes what arrives. Whoever breaks the rules of the handshake is cut off, and the application told."""
        if isinstance(event, Body | Data) and not self.handshake.accepted:
            if self._refused != "no":
                return
            self._refused = "by hypercorn"
        was_open = not self.closed
        await super().handle(event)
        if not (was_open and self.closed):
            return
        self._over.set()
        if not isinstance(event, StreamClosed):
            await self._tell_gone(CloseReason.PROTOCOL_ERROR)
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Sends what the application says, unless hypercorn has spoken for it."""
        if self._refused == "by hypercorn":
            return
        if message is not None and message["type"] == "websocket.http.response.start":
            self._refused = "by us"
        await super().app_send(message)

    async def _accept(self, message: WebsocketAcceptEvent) -> None:
        """Accepts without compression: a few kilobytes would inflate to more than the memory holds."""
        self.handshake.extensions = None
        await super()._accept(message)

    async def _handle_events(self) -> None:
        """Lets go of a message that is too long; the client has been told by then."""
        await super()._handle_events()
        if self.buffer.length > self.buffer.max_length:
            self.buffer.clear()
            await self._tell_gone(CloseReason.MESSAGE_TOO_BIG)

    async def _send_pings(self) -> None:
        """Pings until the end, and no longer."""
        while not self.closed:
            with trio.move_on_after(self.config.websocket_ping_interval or _NO_PINGS):
                await self._over.wait()
                return
            await self._send_wsproto_event(Ping())

    async def _tell_gone(self, code: CloseReason) -> None:
        if self.app_put is not None:
            await self.app_put({"type": "websocket.disconnect", "code": int(code)})
