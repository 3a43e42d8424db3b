"""One WebSocket over ASGI: its handshake, its messages, its end. Must not know MCP.

Source: ASGI 3.0, WebSocket, and the extension "WebSocket Denial Response"; RFC 6455 §7.4.1 (close codes).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import msgspec
import trio

from gateway import limits
from gateway.transports.asgi_call import Receive, Send
from gateway.transports.http import ClientLeft, Reply
from gateway.transports.request_head import RequestHead

TOO_BIG: Final = 1009


class Close(msgspec.Struct, frozen=True):
    """Why a connection is ended: a code of RFC 6455, and a sentence of at most 123 bytes."""

    code: int
    reason: str


class WebSocketCall:
    """One handshake, and the connection that it becomes. Either `respond` or `accept` is called, once."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.head = RequestHead.of_scope(scope)
        self.offered: tuple[str, ...] = tuple(scope["subprotocols"])
        """The subprotocols that the client speaks."""
        self.started = False
        """Whether it was accepted or refused."""
        self.end_code: int | None = None
        """The close code with which the connection ended, None while it is open."""
        self._receive = receive
        self._send = send

    async def accept(self, subprotocol: str) -> None:
        """Opens the connection.

        Raises:
            ClientLeft: the client did not wait for that.
        """
        if (await self._receive())["type"] != "websocket.connect":
            raise ClientLeft
        self.started = True
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})

    async def respond(self, reply: Reply) -> None:
        """Refuses the handshake with an HTTP answer."""
        self.started = True
        await self._send(
            {
                "type": "websocket.http.response.start",
                "status": reply.status,
                "headers": reply.fields(self.head.extra_headers),
            }
        )
        await self._send({"type": "websocket.http.response.body", "body": reply.body})

    async def receive(self) -> str | bytes | None:
        """The next message, text or binary; None at the end."""
        event = await self._receive()
        if event["type"] != "websocket.receive":
            self.end_code = event.get("code")
            return None
        text: str | None = event.get("text")
        return event["bytes"] if text is None else text

    async def send(self, text: str) -> None:
        """Sends one message. Returns also when the client is gone; waits while it does not read."""
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, end: Close) -> None:
        """Ends the connection, and gives the client a moment to read that: one closed at once loses it."""
        with trio.move_on_after(limits.LINGER_S):
            await self._send({"type": "websocket.close", "code": end.code, "reason": end.reason})
            while await self.receive() is not None:
                pass
