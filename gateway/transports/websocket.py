"""The WebSocket transport: subprotocol `mcp`, one message per text frame, one session per connection.

The specification leaves it to implementations; this is what the SDKs' clients speak, with the message rules of stdio.
Host, Origin and token are checked at the handshake, the token in its `Authorization` header only. Pages cannot set that
header; a token among the subprotocols would end up in the logs of proxies, and in a URL in everybody's: so pages use
Streamable HTTP, which asks nothing of the kind.

Source: MCP 2025-11-25, base protocol, transports, "Custom Transports"; RFC 6455.
"""

from __future__ import annotations

from typing import Final

import trio

from gateway import limits
from gateway.errors import Overloaded
from gateway.ports import Health, Principal, Sessions
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused
from gateway.transports.backlog import Backlog
from gateway.transports.conversation import Conversation
from gateway.transports.http import Refused
from gateway.transports.websocket_call import TOO_BIG, Close, WebSocketCall

SUBPROTOCOL: Final = "mcp"

_GOING_AWAY: Final = Close(1001, "the session has ended")
_BINARY: Final = Close(1003, "messages are sent as text frames")
_NOT_READING: Final = Close(1008, "what was sent was not read")
_TOO_BIG: Final = Close(
    TOO_BIG, f"a message has at most {limits.MAX_FRAME_BYTES // limits.MIB} MiB"
)
_log = get_logger("websocket")


class WebSocket:
    """The endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._sessions = sessions
        self._health = health

    async def serve(self, call: WebSocketCall, principal: Principal) -> None:
        """Opens a session and serves its client; the session ends with the connection.

        Raises:
            Refused: the client does not offer the subprotocol.
            Overloaded: nothing new is accepted at the moment.
            ClientLeft: the client is gone before it began.
        """
        if SUBPROTOCOL not in call.offered:
            raise Refused(
                f"the subprotocol is missing: send Sec-WebSocket-Protocol: {SUBPROTOCOL}",
                status=400,
            )
        if not self._health.ready():
            raise Overloaded("the gateway is starting or stopping: try again in a moment")
        session = self._sessions.open(principal, transport="websocket")
        try:
            conversation = Conversation(session, bytes)
            await call.accept(SUBPROTOCOL)
            end = await _converse(call, conversation)
        finally:
            session.close()
        if end is not None:
            _log.debug("websocket_closed", code=end.code)
            await call.close(end)


async def _converse(call: WebSocketCall, conversation: Conversation) -> Close | None:
    """Reads until the client leaves or breaks a rule, writes until the session ends; either ends the other.

    Returns:
        How to end the connection, None where the client has.
    """
    end: Close | None = _GOING_AWAY
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_write, call, conversation.backlog, nursery.cancel_scope)
        end = await _read(call, conversation)
        nursery.cancel_scope.cancel()
    if end is _TOO_BIG:
        refused("from_clients.MAX_FRAME_BYTES")
    if conversation.backlog.overflowed:
        _log.error("client_does_not_read", limit_bytes=limits.MAX_OUTBOUND_BYTES)
        return _NOT_READING
    return end


async def _read(call: WebSocketCall, conversation: Conversation) -> Close | None:
    while (message := await call.receive()) is not None:
        if isinstance(message, bytes):
            return _BINARY
        frame = message.encode()
        if len(frame) > limits.MAX_FRAME_BYTES:
            return _TOO_BIG
        conversation.take(frame)
    return _TOO_BIG if call.end_code == TOO_BIG else None


async def _write(call: WebSocketCall, backlog: Backlog, scope: trio.CancelScope) -> None:
    while frame := await backlog.pull_one():
        await call.send(frame.decode())
    scope.cancel()
