"""The HTTP face of the gateway as one ASGI application.

Must not know the server that carries it, nor any rule: those are the front's.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from gateway import limits
from gateway.ports import Health, Sessions
from gateway.telemetry.log import get_logger
from gateway.transports.answering import answer
from gateway.transports.asgi_call import App, AsgiCall, Receive, Send
from gateway.transports.front import Front, Posting, Serving, explain
from gateway.transports.http import ClientLeft
from gateway.transports.websocket import WebSocket
from gateway.transports.websocket_call import WebSocketCall

_log = get_logger("http")


def make_app(front: Front, sessions: Sessions, health: Health) -> App:
    """The application."""
    websocket = WebSocket(sessions, health)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _serve_websocket(front, websocket, WebSocketCall(scope, receive, send))
        elif scope["type"] == "http":
            await _serve(front, AsgiCall(scope, receive, send))

    return app


async def _serve(front: Front, call: AsgiCall) -> None:
    """Answers one request. An error of ours costs that request only, and is logged."""
    try:
        match front.admit(call.head):
            case Posting() as posting:
                body = await call.body(limits.MAX_FRAME_BYTES)
                await answer(call, front.take(call.head, posting, body))
            case Serving(service, principal):
                await service(call, principal)
            case reply:
                await call.respond(reply)
    except ClientLeft:
        _log.debug("client_left", path=call.head.path)
    except Exception as error:  # noqa: BLE001 -- the edge: one broken request must not end the others
        await _refuse(call, error)


async def _serve_websocket(front: Front, websocket: WebSocket, call: WebSocketCall) -> None:
    """Serves one WebSocket, or refuses its handshake. An error of ours costs that connection only, and is logged."""
    try:
        await websocket.serve(call, front.admit_websocket(call.head))
    except ClientLeft:
        _log.debug("client_left", path=call.head.path)
    except Exception as error:  # noqa: BLE001 -- the edge, as above
        await _refuse(call, error)


async def _refuse(call: AsgiCall | WebSocketCall, error: Exception) -> None:
    """Says an error, unless an answer is under way."""
    reply = explain(call.head, error)
    if not call.started:
        await call.respond(reply)
