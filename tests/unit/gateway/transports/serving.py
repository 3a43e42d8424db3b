"""The application of the transports over fake sessions, served on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import trio

from gateway.auth.bearer import Authenticator, Bearer
from gateway.auth.origin import network_rules
from gateway.transports.asgi import make_app
from gateway.transports.listen import serve_http
from tests.fakes.sessions import FakeHealth, FakeSession, FakeSessions

TOKEN = "test-token"
EVERYTHING = "application/json, text/event-stream"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}},
}


class Site:
    """One gateway front with everything a test may want to turn."""

    def __init__(
        self, *, allow_origins: tuple[str, ...] = (), auth: Authenticator | None = None
    ) -> None:
        self.sessions = FakeSessions()
        self.health = FakeHealth()
        self.stop = trio.Event()
        self.app = make_app(
            self.sessions,
            self.health,
            auth=auth or Bearer(TOKEN, key=b"key"),
            rules=network_rules(hosts=("127.0.0.1",), allow_origins=allow_origins),
            program="/opt/mcpgw.pyz",
        )
        self.port = 0

    @property
    def last(self) -> FakeSession:
        """The session opened last."""
        return self.sessions.all[-1]

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A client that has the token and accepts what a client should."""
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {TOKEN}", "Accept": EVERYTHING, **headers},
            timeout=5,
        )

    @asynccontextmanager
    async def connect(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client that has done the Streamable HTTP handshake."""
        async with self.client(**headers) as client:
            answer = await client.post("/mcp", json=INITIALIZE)
            client.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
            yield client


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    """Serves the site on a free port until the end of the block."""
    async with trio.open_nursery() as nursery:
        serve = partial(serve_http, site.app, hosts=("127.0.0.1",), port=0, stop=site.stop)
        (address,) = await nursery.start(serve)
        site.port = address[1]
        yield site
        nursery.cancel_scope.cancel()


def request(method: str, request_id: int = 1, **params: object) -> dict[str, object]:
    """A JSON-RPC request as a client writes it."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
