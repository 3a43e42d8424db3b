"""What every transport promises: one suite, run over stdio, Streamable HTTP, SSE and WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import httpx
import msgspec
import pytest
import trio
import trio.testing
from trio_websocket import WebSocketConnection

from gateway.jsonrpc.sse import EventSplitter, ServerSentEvent
from gateway.mcp.versions import LEGACY
from tests.fakes.sessions import FakeSession
from tests.unit.gateway.transports.pipes import stdio_client
from tests.unit.gateway.transports.serving import EventStream, Site, serving
from tests.unit.gateway.transports.test_websocket import connected

Json = dict[str, object]


class Client(Protocol):
    """A client of any transport."""

    @property
    def session(self) -> FakeSession:
        """The session behind it."""

    async def send(self, message: bytes) -> None:
        """Sends one message without waiting for what it leads to."""

    async def receive(self) -> Json:
        """The next message that arrives, whatever carries it."""


class StdioPeer:
    """Lines over pipes."""

    def __init__(
        self,
        write: Callable[[bytes], Awaitable[None]],
        read: Callable[[], Awaitable[Json]],
        session: Callable[[], FakeSession],
    ) -> None:
        self._write, self.receive, self._session = write, read, session

    @property
    def session(self) -> FakeSession:
        """The session behind it."""
        return self._session()

    async def send(self, message: bytes) -> None:
        """Writes a line."""
        await self._write(message + b"\n")


class HttpPeer:
    """POSTs, whose answers and events all end up in one channel."""

    def __init__(
        self, site: Site, client: httpx.AsyncClient, nursery: trio.Nursery, path: str
    ) -> None:
        self._site, self._client, self._nursery, self._path = site, client, nursery, path
        self._arrive, self._arrived = trio.open_memory_channel[Json](100)

    @property
    def session(self) -> FakeSession:
        """The session behind it."""
        return self._site.last

    async def send(self, message: bytes) -> None:
        """Posts it; whatever comes of that arrives later."""
        taken = trio.Event()
        self._nursery.start_soon(self._post, message, taken)
        # Messages of one client are ordered only if it waits for each to be taken.
        with trio.move_on_after(0.05):
            await taken.wait()

    async def receive(self) -> Json:
        """The next message of any answer or stream."""
        return await self._arrived.receive()

    async def listen(self, stream: EventStream) -> None:
        """Takes in what comes on the stream, to its end."""
        while (event := await stream.event()) != ("", ""):
            self._arrive.send_nowait(msgspec.json.decode(event[1], type=Json))

    async def _post(self, message: bytes, taken: trio.Event) -> None:
        answer = await self._client.post(self._path, content=message)
        taken.set()
        session_id = answer.headers.get("mcp-session-id")
        if session_id:
            self._client.headers["Mcp-Session-Id"] = session_id
        for body in bodies(answer):
            self._arrive.send_nowait(msgspec.json.decode(body, type=Json))


def bodies(answer: httpx.Response) -> list[bytes]:
    """The messages in an HTTP answer."""
    match answer.headers.get("content-type"):
        case "application/json":
            return [answer.content]
        case "text/event-stream":
            events = EventSplitter(2**20).feed(answer.content)
            return [event.data for event in events if isinstance(event, ServerSentEvent)]
        case _:
            return []


@asynccontextmanager
async def stdio() -> AsyncIterator[Client]:
    """Over pipes."""
    with stdio_client() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.serve)
            yield StdioPeer(client.write, client.receive, lambda: client.session)
            client.close_input()


@asynccontextmanager
async def streamable_http(*, fast_lane: bool = True) -> AsyncIterator[Client]:
    """With the standing stream open, as clients do after the handshake."""
    site = Site(fast_lane=fast_lane)
    async with serving(site), site.connect() as client, trio.open_nursery() as nursery:
        client.headers["Content-Type"] = "application/json"
        session_id = client.headers["Mcp-Session-Id"]
        async with site.listen("/mcp", **{"Mcp-Session-Id": session_id}) as stream:
            peer = HttpPeer(site, client, nursery, "/mcp")
            nursery.start_soon(peer.listen, stream)
            yield peer
            assert (await client.delete("/mcp")).status_code == 204
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def sse(*, fast_lane: bool = True) -> AsyncIterator[Client]:
    """One stream and POSTs beside it."""
    site = Site(fast_lane=fast_lane)
    async with (
        serving(site),
        site.client(**{"Content-Type": "application/json"}) as client,
        trio.open_nursery() as nursery,
    ):
        async with site.listen("/sse") as stream:
            _, reference = await stream.event()
            peer = HttpPeer(site, client, nursery, f"/sse{reference}")
            nursery.start_soon(peer.listen, stream)
            yield peer
            nursery.cancel_scope.cancel()
        await site.last.was_closed.wait()


class WebSocketPeer:
    """Text frames."""

    def __init__(self, site: Site, socket: WebSocketConnection) -> None:
        self._site, self._socket = site, socket

    @property
    def session(self) -> FakeSession:
        """The session behind it."""
        return self._site.last

    async def send(self, message: bytes) -> None:
        """Sends a frame. A text frame can only be sent as text, so that broken UTF-8 is sent as broken JSON."""
        await self._socket.send_message(message.decode("utf-8", "backslashreplace"))

    async def receive(self) -> Json:
        """The next frame."""
        return msgspec.json.decode(await self._socket.get_message(), type=Json)


@asynccontextmanager
async def websocket() -> AsyncIterator[Client]:
    """One connection for everything."""
    async with serving(Site()) as site:
        async with connected(site) as socket:
            yield WebSocketPeer(site, socket)
        await site.last.was_closed.wait()


OPENERS = {
    "stdio": stdio,
    "streamable_http": streamable_http,
    "streamable_http_slow": partial(streamable_http, fast_lane=False),
    "sse": sse,
    "sse_slow": partial(sse, fast_lane=False),
    "websocket": websocket,
}


@pytest.fixture(params=OPENERS.values(), ids=OPENERS)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A connected client; afterwards its session has to be closed."""
    async with request.param() as connected:
        yield connected
        session = connected.session
    assert session.closed


@pytest.mark.parametrize("version", LEGACY)
async def test_the_handshake(client: Client, version: str) -> None:
    """Of every revision."""
    params = b'{"protocolVersion":"%b","capabilities":{},"clientInfo":{}}' % version.encode()
    await client.send(b'{"jsonrpc":"2.0","id":"a","method":"initialize","params":%b}' % params)
    answer = await client.receive()
    assert answer["id"] == "a"
    assert msgspec.convert(answer["result"], dict)["protocolVersion"] == version
    await client.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    await client.send(b'{"jsonrpc":"2.0","id":"b","method":"ping"}')
    assert await client.receive() == {"jsonrpc": "2.0", "id": "b", "result": {}}
    assert client.session.protocol_version == version


@pytest.mark.parametrize(
    "value",
    [
        '{"text":"line\\nbreak\\r\\n and \\u2028 \\ud83d\\ude00"}',
        '{"emoji":"😀","deep":[[[[{}]]]],"big":123456789012345678901234567890,"small":1e-300}',
        '{"data: x":"event: y\\n\\ndata: z"}',
        '{"unknown":null,"_meta":{"io.example/x":[1.0,1,true]}}',
    ],
)
async def test_values_come_back_as_they_went(client: Client, value: str) -> None:
    """Payloads are not looked at; nothing in them ends a line or an event."""
    await client.send(b'{"jsonrpc":"2.0","id":1,"method":"echo","params":%b}' % value.encode())
    assert (await client.receive())["result"] == msgspec.json.decode(value)


@pytest.mark.parametrize("request_id", ['"text"', "0", "-1", "1.5", "9007199254740993", '""'])
async def test_ids_come_back_as_they_went(client: Client, request_id: str) -> None:
    """Whatever JSON-RPC allows."""
    await client.send(b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % request_id.encode())
    assert (await client.receive())["id"] == msgspec.json.decode(request_id)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0"}', -32700),
        (b"3", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"nope"}', -32601),
    ],
)
async def test_bad_input_is_answered_and_the_connection_goes_on(
    client: Client, message: bytes, code: int
) -> None:
    """With the code that the specification names."""
    await client.send(message)
    assert msgspec.convert((await client.receive())["error"], Json)["code"] == code
    await client.send(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
    assert (await client.receive())["id"] == 2


async def test_messages_of_a_call_precede_its_answer(client: Client) -> None:
    """Progress after the result would be of no use."""
    await client.send(b'{"jsonrpc":"2.0","id":1,"method":"chatty","params":{"n":1}}')
    assert (await client.receive())["method"] == "notifications/message"
    assert (await client.receive())["id"] == 1


async def test_a_slow_call_holds_up_nobody(client: Client) -> None:
    """Answers arrive as they are ready."""
    await client.send(b'{"jsonrpc":"2.0","id":1,"method":"later"}')
    await client.send(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
    assert (await client.receive())["id"] == 2
    client.session.answer(msgspec.Raw(b'{"late":true}'))
    assert await client.receive() == {"jsonrpc": "2.0", "id": 1, "result": {"late": True}}


async def test_requests_of_the_server_reach_the_client_and_come_back(client: Client) -> None:
    """While the call that caused them waits."""
    await client.send(b'{"jsonrpc":"2.0","id":1,"method":"later"}')
    await client.session.has_waiting.wait()
    outlet = client.session.attached
    assert outlet is not None
    outlet.send(b'{"jsonrpc":"2.0","id":77,"method":"roots/list"}')
    assert (await client.receive())["method"] == "roots/list"
    await client.send(b'{"jsonrpc":"2.0","id":77,"result":{"roots":[]}}')
    await client.send(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
    assert (await client.receive())["id"] == 2
    client.session.answer()
    assert (await client.receive())["id"] == 1


async def test_what_belongs_to_no_request_arrives(client: Client) -> None:
    """Changed lists are told at any time."""
    await client.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    await client.receive()
    client.session.notify()
    assert (await client.receive())["method"] == "notifications/tools/list_changed"


async def test_large_messages_go_both_ways(client: Client) -> None:
    """Larger than any buffer on the way."""
    text = "x" * 500_000
    await client.send(
        b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"t":"%b"}}' % text.encode()
    )
    assert (await client.receive())["result"] == {"t": text}


async def test_a_session_that_closes_answers_nothing_more(client: Client) -> None:
    """Its calls end without an answer, and nothing hangs."""
    await client.send(b'{"jsonrpc":"2.0","id":1,"method":"later"}')
    await client.session.has_waiting.wait()
    client.session.waiting.pop()[1].finish(None)
    await client.send(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
    assert (await client.receive())["id"] == 2
