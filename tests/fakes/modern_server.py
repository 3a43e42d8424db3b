"""A server that speaks 2026-07-28 and nothing else, behind an in-memory `MessagePipe`."""

from __future__ import annotations

import json
from typing import Any, Final

from gateway.jsonrpc.messages import Failure, Message, Request, Result
from tests.fakes.server import FakeServer, raw

REVISION: Final = "2026-07-28"
PREFIX: Final = "io.modelcontextprotocol/"


class ModernServer(FakeServer):
    """Refuses what is not stamped, acknowledges subscriptions; `scripts` as in `FakeServer`."""

    capabilities: dict[str, Any] = {"tools": {"listChanged": True}}  # noqa: RUF012 -- never changed, only replaced

    def stamps(self, method: str) -> list[dict[str, Any]]:
        """The `_meta` of each request of that method."""
        return [json.loads(bytes(one.params or b"{}"))["_meta"] for one in self.requests(method)]

    def _answer(self, request: Request) -> Message | None:
        """What a plain modern server answers."""
        params = json.loads(bytes(request.params or b"{}"))
        stamp = params.get("_meta", {})
        if stamp.get(f"{PREFIX}protocolVersion") != REVISION:
            data = raw({"supported": [REVISION], "requested": "?"})
            return Failure(request.id, -32022, "unsupported", data)
        match request.method:
            case "server/discover":
                body: dict[str, Any] = {
                    "supportedVersions": [REVISION],
                    "capabilities": self.capabilities,
                    "instructions": "be modern",
                }
            case "tools/list":
                body = {"tools": self.tools, "ttlMs": 500, "cacheScope": "public"}
            case "tools/call":
                body = {"content": [{"type": "text", "text": f"{self.name} says hello"}]}
            case "subscriptions/listen":
                tag = {"_meta": {f"{PREFIX}subscriptionId": request.id}}
                self.notify(
                    "notifications/subscriptions/acknowledged",
                    {"notifications": params["notifications"], **tag},
                )
                return None
            case _:
                return Failure(request.id, -32601, f"no {request.method} here")
        return Result(request.id, raw({"resultType": "complete", **body}))

    def tell(self, method: str, **fields: Any) -> None:
        """Sends a notification on the newest subscription."""
        number = self.requests("subscriptions/listen")[-1].id
        self.notify(method, {**fields, "_meta": {f"{PREFIX}subscriptionId": number}})
