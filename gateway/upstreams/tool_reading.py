"""Reads a modern server's list of tools where a call needs to know it, and looks at the lists that pass by.

Must not know how questions are carried. The lists that clients see are read elsewhere.

Source: MCP 2026-07-28, server features, "Tools", "x-mcp-header".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import trio

from gateway import limits
from gateway.errors import GatewayError, ProtocolFault
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Request, Result
from gateway.mcp import listing, meta
from gateway.mcp.params import Fields, pack
from gateway.telemetry.log import get_logger
from gateway.upstreams.modern_requests import ModernRequest
from gateway.upstreams.param_book import ParamHeaderBook, ParamHeaders

Ask = Callable[[Request, ModernRequest], Awaitable[Result | Failure]]
"""Asks the server something, which says that of itself. Raises errors of our tree where there is no answer."""

_LIST: Final = listing.KINDS["tools"].method
_TAKEN_OVER: Final = (meta.VERSION, meta.CAPABILITIES, meta.CLIENT_INFO)
"""What a question says of its client: the same as the call that it is asked for."""

_log = get_logger("upstream")


class ToolReading:
    """Keeps the book of one server for one connection."""

    def __init__(self, ask: Ask, book: ParamHeaderBook, *, server: str) -> None:
        self._ask = ask
        self._book = book
        self._server = server
        # One list is read at a time: whoever waits finds the answer in the book.
        self._turn = trio.Lock()
        # Ids of our own, so that no answer can be taken for one to a client's request.
        self._questions = 0

    async def headers_of(self, tool: str, *, asked_by: ModernRequest) -> ParamHeaders:
        """What a call of that tool repeats in headers. A tool that is not in the book makes us read the list.

        Where the list cannot be read, so be it: the call itself will tell what is wrong with the server, or work.
        """
        found = self._book.find(tool)
        if found is None:
            async with self._turn:
                found = self._book.find(tool)
                if found is None:
                    await self._read_list(asked_by)
                    found = self._book.find(tool)
        return found or ()

    def look_at(self, result: msgspec.Raw) -> None:
        """Learns from a page that passes by. What is wrong with it, whoever asked for it will say."""
        try:
            self._book.learn(listing.parse_page("tools", result))
        except ProtocolFault:
            return

    async def _read_list(self, asked_by: ModernRequest) -> None:
        try:
            with trio.move_on_after(limits.LIST_TIMEOUT_S):
                await self._read_pages(asked_by)
        except GatewayError as error:
            _log.debug("upstream_tools_unknown", server=self._server, reason=str(error))
        self._book.complete()

    async def _read_pages(self, asked_by: ModernRequest) -> None:
        """Reads the whole list, as far as the bounds allow.

        Raises:
            GatewayError: the server does not show it.
        """
        cursor: str | None = None
        seen = {cursor}
        items = 0
        for _ in range(limits.MAX_LIST_PAGES):
            page = await self._read_page(asked_by, cursor)
            self._book.learn(page)
            items += len(page.items)
            cursor = page.next_cursor
            if cursor in seen or items > limits.MAX_LIST_ITEMS:
                return
            seen.add(cursor)

    async def _read_page(self, asked_by: ModernRequest, cursor: str | None) -> listing.Page:
        self._questions += 1
        taken_over = {key: asked_by.meta[key] for key in _TAKEN_OVER if key in asked_by.meta}
        members: Fields = {meta.META: pack(taken_over)}
        if cursor is not None:
            members["cursor"] = codec.raw(cursor)
        question = Request(f"mcpgw-tools-{self._questions}", _LIST, pack(members))
        says = ModernRequest(asked_by.version, taken_over, members)
        answer = await self._ask(question, says)
        if isinstance(answer, Failure):
            raise ProtocolFault(
                f"server {self._server!r} does not show its tools: {answer.message}"
            )
        return listing.parse_page("tools", answer.result)
