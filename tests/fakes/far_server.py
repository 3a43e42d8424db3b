"""A remote server of the older era over Streamable HTTP, which counts what it executes. For `tests.fakes.http_server`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from gateway.jsonrpc.codec import decode, encode, raw
from gateway.jsonrpc.messages import Failure, Notification, Request, Result
from tests.fakes.http_server import Exchange

Serve = Callable[[Exchange, Request], Awaitable[None]]
"""Answers a call."""

_HELLO: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "far", "version": "1"},
}
_JSON: Final = {"content_type": "application/json"}


class Far:
    """A legacy server with sessions. Calls are executed, and counted, by `serve_call`; a restart forgets all sessions."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.opened = 0
        self.executed = 0
        self.serve_call: Serve = self.answer_call

    def restart(self) -> None:
        """Forgets everything."""
        self.sessions.clear()

    async def __call__(self, exchange: Exchange) -> None:
        """Handles one HTTP request."""
        if exchange.request.method != "POST":
            await exchange.respond(405)
            return
        message = decode(exchange.request.body)
        if isinstance(message, Request) and message.method == "server/discover":
            await exchange.respond(
                400, encode(Failure(message.id, -32601, "no such method")), **_JSON
            )
        elif isinstance(message, Request) and message.method == "initialize":
            self.opened += 1
            self.sessions.add(f"s{self.opened}")
            await self.answer(exchange, message, _HELLO, mcp_session_id=f"s{self.opened}")
        elif exchange.request.headers.get("mcp-session-id") not in self.sessions:
            await exchange.respond(404)
        elif isinstance(message, Notification):
            await exchange.respond(202)
        elif isinstance(message, Request) and message.method == "tools/call":
            await self.serve_call(exchange, message)
        elif isinstance(message, Request):
            tools = [{"name": "work", "inputSchema": {"type": "object"}}]
            await self.answer(exchange, message, {"tools": tools})

    async def answer_call(self, exchange: Exchange, request: Request) -> None:
        """Executes a call and answers it."""
        self.executed += 1
        text = f"executed {self.executed}"
        await self.answer(exchange, request, {"content": [{"type": "text", "text": text}]})

    async def answer(
        self, exchange: Exchange, request: Request, result: object, **headers: str
    ) -> None:
        """Answers a request with JSON."""
        frame = encode(Result(request.id, raw(result)))
        await exchange.respond(200, frame, **_JSON, **headers)
