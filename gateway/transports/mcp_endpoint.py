"""The endpoint that both eras of Streamable HTTP share: it tells them apart, request by request.

By what a request says of itself, never by its method: `initialize` of the modern era is an unknown method there.

Source: MCP 2026-07-28, transports, "Streamable HTTP", "Backward Compatibility".
"""

from __future__ import annotations

from typing import Final

from gateway.errors import InvalidParams, Malformed
from gateway.jsonrpc.codec import decode
from gateway.jsonrpc.messages import Message, Notification, Request
from gateway.mcp import meta, params
from gateway.mcp.versions import MODERN
from gateway.ports import Health, Principal, Sessions
from gateway.transports.exchange import Exchange
from gateway.transports.http import HttpCall, Refused, Reply
from gateway.transports.request_head import RequestHead
from gateway.transports.stateless_http import StatelessHttp
from gateway.transports.streamable_http import (
    VERSION_HEADER,
    StreamableHttp,
    check_content_type,
)

_MODERN: Final = frozenset(version.encode() for version in MODERN)
_MARK: Final = b"io.modelcontextprotocol"
"""In every request that says its revision itself: others need not be looked into twice."""


class McpEndpoint:
    """The three methods of the endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._legacy = StreamableHttp(sessions, health)
        self._modern = StatelessHttp(sessions, health)

    def check(self, head: RequestHead) -> None:
        """Looks at the head of a POST before its body comes.

        Raises:
            Refused: the body will not be JSON.
        """
        check_content_type(head)

    def take(self, head: RequestHead, principal: Principal, body: bytes) -> Reply | Exchange:
        """Takes what a client posts.

        Raises:
            Refused: the request is wrong as HTTP, or names no session.
            Malformed: its body is no JSON-RPC message.
            Overloaded: nothing new is accepted at the moment.
        """
        if head.headers.get(VERSION_HEADER) in _MODERN:
            return self._modern.take(head, principal, decode(body))
        if _MARK in body and (message := _modern_message(body)) is not None:
            return self._modern.take(head, principal, message)
        return self._legacy.take(head, principal, body)

    async def get(self, call: HttpCall, principal: Principal) -> None:
        """Opens an event stream of a session.

        Raises:
            Refused: the request is wrong as HTTP, names no session, or is of a revision without sessions.
            ClientFault: the stream that it names is kept no more.
        """
        _refuse_modern(call.head)
        await self._legacy.get(call, principal)

    async def delete(self, call: HttpCall, principal: Principal) -> None:
        """Ends a session.

        Raises:
            Refused: the request names no session, or is of a revision without sessions.
        """
        _refuse_modern(call.head)
        await self._legacy.delete(call, principal)


def _modern_message(body: bytes) -> Message | None:
    """The message in a body that says its revision itself; None for any other."""
    try:
        message = decode(body)
        if not isinstance(message, Request | Notification):
            return None
        return None if meta.parse_meta(params.fields(message.params)) is None else message
    except InvalidParams:
        # It says something of the kind, and not right: for the modern era to refuse.
        return message if isinstance(message, Request) else None
    except Malformed:
        return None


def _refuse_modern(head: RequestHead) -> None:
    version = head.text(VERSION_HEADER)
    if version in MODERN:
        raise Refused(
            f"{version} has no sessions and no streams of their own: it takes POST",
            status=405,
            headers=((b"allow", b"POST"),),
        )
