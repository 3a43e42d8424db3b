"""Which arguments one server's tools want repeated in HTTP headers, as far as its lists have told. No I/O.

A call whose headers are missing is refused before it is executed, so that a gap costs a question, never an effect.

Source: MCP 2026-07-28, server features, "Tools", "x-mcp-header".
"""

from __future__ import annotations

from gateway import limits
from gateway.errors import ProtocolFault
from gateway.mcp.listing import Page
from gateway.mcp.param_headers import ParamHeader, param_headers

ParamHeaders = tuple[ParamHeader, ...]


class ParamHeaderBook:
    """The mirrored arguments by tool; shared by all connections to one server."""

    def __init__(self) -> None:
        # Bounded by `limits.MAX_LIST_ITEMS`.
        self._headers: dict[str, ParamHeaders] = {}
        # Whether no list would tell more: what is not in the book then has no headers.
        self._complete = False

    def __repr__(self) -> str:
        """How much it knows, for logs and tests."""
        return f"<ParamHeaderBook of {len(self._headers)} tools{', complete' * self._complete}>"

    def find(self, tool: str) -> ParamHeaders | None:
        """What a call of that tool repeats in headers; None where the list has to be read first."""
        return self._headers.get(tool, () if self._complete else None)

    def learn(self, page: Page) -> None:
        """Takes in a page of the server's list. A tool whose annotations are ill made asks for no headers."""
        for item in page.items:
            if item.key in self._headers or len(self._headers) < limits.MAX_LIST_ITEMS:
                try:
                    self._headers[item.key] = param_headers(item.fields["inputSchema"])
                except ProtocolFault:
                    self._headers[item.key] = ()

    def complete(self) -> None:
        """Notes that the list was read as far as it can be."""
        self._complete = True

    def forget(self) -> None:
        """Forgets everything: a server that refuses our headers has other tools than it had."""
        self._headers.clear()
        self._complete = False
