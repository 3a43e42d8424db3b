"""A modern server over Streamable HTTP that insists on the headers, and tools for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.errors import GatewayError, HeaderMismatch
from gateway.jsonrpc.codec import decode, encode, failure, raw
from gateway.jsonrpc.messages import Failure, Request, Result
from gateway.mcp import headers, params
from tests.fakes.http_server import Exchange

Tool = Mapping[str, object]


def tool(name: str, *mirrored: str) -> Tool:
    """A tool with these arguments, each repeated in a header of its name."""
    properties = {name: {"type": "string", "x-mcp-header": name.title()} for name in mirrored}
    return {"name": name, "inputSchema": {"type": "object", "properties": properties}}


class ModernOverHttp:
    """Lists its tools, so many on a page, and takes calls of these; all with the right headers only, or none at all."""

    def __init__(self, tools: Sequence[Tool], *, page: int = 100, refuses: bool = False) -> None:
        self.tools = tools
        self._page = page
        self._refuses = refuses

    async def __call__(self, exchange: Exchange) -> None:
        """Handles one HTTP request."""
        request = decode(exchange.request.body)
        assert isinstance(request, Request)
        status, message = 200, encode(Result(request.id, raw({"resultType": "complete"})))
        try:
            headers.check(exchange.request.headers, request, self._schema(request))
            if request.method == "tools/list":
                message = encode(Result(request.id, raw(self._list(request))))
            elif request.method == "tools/call" and self._refuses:
                raise HeaderMismatch("no")
        except GatewayError as error:
            status, message = error.http_status, encode(failure(error, request.id))
        except LookupError:
            status, message = 200, encode(Failure(request.id, -32602, "no such tool"))
        await exchange.respond(status, message, content_type="application/json")

    def _schema(self, request: Request) -> msgspec.Raw | None:
        if request.method != "tools/call":
            return None
        name = params.text(params.fields(request.params), "name")
        (schema,) = [tool["inputSchema"] for tool in self.tools if tool["name"] == name] or [None]
        if schema is None:
            raise LookupError(name)
        return raw(schema)

    def _list(self, request: Request) -> Mapping[str, object]:
        members = params.fields(request.params)
        start = int(params.text(members, "cursor")) if "cursor" in members else 0
        end = start + self._page
        rest = {"nextCursor": str(end)} if end < len(self.tools) else {}
        return {"tools": self.tools[start:end], **rest}
