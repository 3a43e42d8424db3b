"""A small MCP client for a gateway in this process: what `tools` commands see is what every client would see.

Must not know how the gateway works: it holds a `ports.Sessions` and an `Outlet`, as a transport does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import trio

from gateway import __version__
from gateway.errors import GatewayError, UnknownTarget
from gateway.jsonrpc.messages import Failure, Id, Notification, Request
from gateway.limits import INITIALIZE_TIMEOUT_S, LIST_TIMEOUT_S, MAX_LIST_PAGES
from gateway.mcp.naming import SEPARATOR
from gateway.ports import LOCAL, ClientSession, Sessions

_VERSION: Final = "2025-11-25"
_METHOD_NOT_FOUND: Final = -32601
_PATIENCE_S: Final = INITIALIZE_TIMEOUT_S + LIST_TIMEOUT_S
"""How long servers never listed before are waited for: as long as the slowest may take to start and to list."""

OnNotice = Callable[[str, Mapping[str, Any]], None]
"""Told the method and the params of each notification."""
Settled = Callable[[], Awaitable[None]]
"""Waits until every server is listed, or known to have failed. No answer says that: a list that waited long enough is
answered without the slow ones, and is followed by the news of them."""


class Exchange:
    """The outlet of one request: keeps its answer, hands on what comes before."""

    def __init__(self, on_message: Callable[[bytes], None]) -> None:
        self._on_message = on_message
        self._frame: bytes | None = None
        self._done = trio.Event()

    def send(self, frame: bytes, *, skippable: bool = False) -> None:  # noqa: ARG002 -- the Protocol's
        """A message before the answer."""
        self._on_message(frame)

    def finish(self, frame: bytes | None) -> None:
        """The answer."""
        self._frame = frame
        self._done.set()

    async def answer(self) -> dict[str, Any]:
        """The result.

        Raises:
            GatewayError: the answer is an error; says what it says.
        """
        await self._done.wait()
        if self._frame is None:
            raise GatewayError("the call was cancelled")
        message = msgspec.json.decode(self._frame)
        if "error" in message:
            raise _error(message["error"])
        result: dict[str, Any] = message["result"]
        return result


class Client:
    """One session with the gateway. Closed by `close`, or with the gateway."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        settled: Settled = trio.lowlevel.checkpoint,
        on_notice: OnNotice | None = None,
    ) -> None:
        self._session: ClientSession = sessions.open(LOCAL, transport="terminal")
        self._settled = settled
        self._on_notice = on_notice
        self._last_id = 0

    async def initialize(self) -> dict[str, Any]:
        """Shakes hands; the gateway's `InitializeResult`."""
        hello = {
            "protocolVersion": _VERSION,
            "capabilities": {},
            "clientInfo": {"name": "mcpgw-terminal", "version": __version__},
        }
        result = await self.request("initialize", hello)
        self._session.attach(self)
        self._session.receive(Notification(method="notifications/initialized"), self)
        return result

    async def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Asks and waits for the result; the gateway watches the time.

        Cancellation: the gateway is told.

        Raises:
            GatewayError: the gateway, or the server behind it, answered with an error.
        """
        self._last_id += 1
        request_id = self._last_id
        exchange = Exchange(self._received)
        self._session.receive(Request(id=request_id, method=method, params=_raw(params)), exchange)
        try:
            return await exchange.answer()
        except trio.Cancelled:
            self._notify("notifications/cancelled", {"requestId": request_id})
            raise

    async def list_tools(self) -> list[dict[str, Any]]:
        """All tools of all servers; waits for those whose lists are read for the first time."""
        with trio.move_on_after(_PATIENCE_S):
            await self._settled()
        return await self._list_tools()

    async def tool(self, name: str) -> dict[str, Any]:
        """One tool as the lists show it; waits for slow servers only where no other one offers it.

        Raises:
            UnknownTarget: no server offers it.
        """
        tools = {str(tool["name"]): tool for tool in await self._list_tools()}
        if name not in tools:
            tools = {str(tool["name"]): tool for tool in await self.list_tools()}
        if name not in tools:
            # lazy: only mistakes need it
            from gateway.cli.grammar import closest  # noqa: PLC0415 - see above

            # Whoever says the bare name of a tool whose name collides means one of these.
            prefixed = " or ".join(tool for tool in tools if tool.endswith(SEPARATOR + name))
            near = f" (did you mean {prefixed}?)" if prefixed else closest(name, tools)
            near = near or "; `tools ls` shows all"
            raise UnknownTarget(f"there is no tool {name!r}{near}")
        return tools[name]

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Calls a tool; the whole `CallToolResult`, which may be an error of the tool."""
        params = {"name": name, "arguments": arguments, "_meta": {"progressToken": self._last_id}}
        return await self.request("tools/call", params)

    def close(self) -> None:
        """Ends the session. Idempotent."""
        self._session.detach(self)
        self._session.close()

    def send(self, frame: bytes, *, skippable: bool = False) -> None:  # noqa: ARG002 -- the Protocol's
        """Takes a message that belongs to no request (the client is the outlet of those)."""
        self._received(frame)

    def finish(self, frame: bytes | None) -> None:
        """Takes the answer to a notification: there is none."""

    async def _list_tools(self) -> list[dict[str, Any]]:
        """All pages of the list, once."""
        tools: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        for _ in range(MAX_LIST_PAGES):
            page = await self.request("tools/list", params)
            tools.extend(page["tools"])
            if not (cursor := page.get("nextCursor")):
                break
            params = {"cursor": cursor}
        return tools

    def _received(self, frame: bytes) -> None:
        """Hands on notifications; refuses requests, for no capability was declared."""
        message = msgspec.json.decode(frame)
        if "id" in message:
            self._refuse(message["id"])
        elif self._on_notice is not None:
            self._on_notice(message["method"], message.get("params") or {})

    def _refuse(self, request_id: Id) -> None:
        """Answers a server's request."""
        text = "this client answers no requests"
        self._session.receive(Failure(id=request_id, code=_METHOD_NOT_FOUND, message=text), self)

    def _notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Sends a notification."""
        self._session.receive(Notification(method=method, params=_raw(params)), self)


def _raw(value: Mapping[str, Any]) -> msgspec.Raw:
    """Plain values as a payload."""
    return msgspec.Raw(msgspec.json.encode(value))


def _error(error: Mapping[str, Any]) -> GatewayError:
    """An error answer as an exception with its code."""
    raised = GatewayError(str(error.get("message") or "the gateway answered with an error"))
    raised.code = int(error.get("code") or raised.code)
    return raised
