"""The application of the transports over fake sessions, served on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11
import httpx
import trio

from gateway.auth.bearer import Authenticator, Bearer
from gateway.auth.origin import network_rules
from gateway.errors import Malformed
from gateway.jsonrpc.sse import EventSplitter, ServerSentEvent
from gateway.transports.asgi import make_app
from gateway.transports.front import Front
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
        self,
        *,
        allow_origins: tuple[str, ...] = (),
        auth: Authenticator | None = None,
        fast_lane: bool = True,
    ) -> None:
        self.sessions = FakeSessions()
        self.health = FakeHealth()
        self.stop = trio.Event()
        self.front = Front(
            self.sessions,
            self.health,
            auth=auth or Bearer(TOKEN, key=b"key"),
            rules=network_rules(hosts=("127.0.0.1",), allow_origins=allow_origins),
            program="/opt/mcpgw.pyz",
        )
        self.app = make_app(self.front, self.sessions, self.health)
        self.port = 0
        self.fast_lane = fast_lane

    async def serve(
        self, *, task_status: trio.TaskStatus[tuple[tuple[str, int], ...]], **more: str
    ) -> None:
        """Serves it on a free port; `more` are further options of `serve_http`."""
        await serve_http(
            self.app,
            lane=self.front if self.fast_lane else None,
            hosts=("127.0.0.1",),
            port=0,
            stop=self.stop,
            task_status=task_status,
            **more,
        )

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
    async def listen(
        self, path: str, *, method: str = "GET", body: bytes = b"", **headers: str
    ) -> AsyncIterator[EventStream]:
        """An event stream, from its head on. httpx cannot leave one early without complaints of the collector."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            events = EventStream(stream)
            await events.open(
                method,
                path,
                body,
                {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {TOKEN}", **headers},
            )
            yield events

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
        (address,) = await nursery.start(site.serve)
        site.port = address[1]
        yield site
        nursery.cancel_scope.cancel()


class EventStream:
    """The reading end of one event stream."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.stream = stream
        self.last_id = ""
        """The id of the last event, as a client would come back with it."""
        self._http = h11.Connection(h11.CLIENT)
        self._splitter = EventSplitter(2**20)
        self._events: list[ServerSentEvent | Malformed] = []

    async def open(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Sends the request, reads the head of the answer."""
        headers.setdefault("Accept", EVERYTHING)
        if body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        head = h11.Request(method=method, target=path, headers=list(headers.items()))
        data = self._http.send(head) + self._http.send(h11.Data(body))
        await self.stream.send_all(data + self._http.send(h11.EndOfMessage()))
        event = await self._next()
        assert isinstance(event, h11.Response)
        self.status = event.status_code
        self.headers = {name.decode(): value.decode() for name, value in event.headers}

    async def event(self) -> tuple[str, str]:
        """The next event's name and data; ("", "") at the end of the stream."""
        while not self._events:
            match await self._next():
                case h11.Data(data=data):
                    self._events += self._splitter.feed(bytes(data))
                case _:
                    return "", ""
        event = self._events.pop(0)
        assert isinstance(event, ServerSentEvent)
        self.last_id = event.id
        return event.event, event.data.decode()

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.stream.receive_some(65536))
        return event


def request(method: str, request_id: int = 1, **params: object) -> dict[str, object]:
    """A JSON-RPC request as a client writes it."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
