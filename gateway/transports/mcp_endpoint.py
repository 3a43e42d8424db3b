"""The endpoint that both eras of Streamable HTTP share: it tells them apart, request by request.

Must not know what either does with it.

Source: MCP 2026-07-28, transports, "Streamable HTTP", "Backward Compatibility".
"""

from __future__ import annotations

from gateway.ports import Health, Principal, Sessions
from gateway.transports.http import HttpCall
from gateway.transports.streamable_http import StreamableHttp, read_body


class McpEndpoint:
    """The three methods of the endpoint."""

    def __init__(self, sessions: Sessions, health: Health) -> None:
        self._legacy = StreamableHttp(sessions, health)

    async def post(self, call: HttpCall, principal: Principal) -> None:
        """Takes what a client sends."""
        await self._legacy.post(call, principal, await read_body(call))

    async def get(self, call: HttpCall, principal: Principal) -> None:
        """Opens an event stream."""
        await self._legacy.get(call, principal)

    async def delete(self, call: HttpCall, principal: Principal) -> None:
        """Ends a session."""
        await self._legacy.delete(call, principal)
