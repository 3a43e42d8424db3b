"""The WebSocket transport over a real socket, with trio-websocket as the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import msgspec
import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from gateway import limits
from gateway.auth.bearer import Open
from tests.unit.gateway.transports.serving import INITIALIZE, TOKEN, Site, request, serving

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "mcp",
}
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: mcp\r\nAuthorization: Bearer test-token\r\n"
)


@asynccontextmanager
async def connected(site: Site, **headers: str) -> AsyncIterator[WebSocketConnection]:
    """A client after the handshake; an empty header is left out."""
    fields = {"Authorization": f"Bearer {TOKEN}", **headers}
    # With a stream of its own trio-websocket leaves the socket open where the server says goodbye.
    async with (
        await trio.open_tcp_stream("127.0.0.1", site.port) as stream,
        trio.open_nursery() as nursery,
    ):
        socket = await wrap_client_stream(
            nursery,
            stream,
            f"127.0.0.1:{site.port}",
            "/ws",
            subprotocols=["mcp"],
            extra_headers=[
                (key.encode(), value.encode()) for key, value in fields.items() if value
            ],
        )
        yield socket
        await socket.aclose()


async def ask(socket: WebSocketConnection, message: object) -> dict[str, object]:
    """Sends a message, and takes the next one."""
    await socket.send_message(msgspec.json.encode(message).decode())
    return msgspec.json.decode(await socket.get_message(), type=dict[str, object])


async def refusal(site: Site, path: str = "/ws", **headers: str) -> tuple[int, str]:
    """Status and sentence of a refused handshake; an empty header is left out."""
    fields = UPGRADE | {"Authorization": f"Bearer {TOKEN}", **headers}
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.get(
            f"http://127.0.0.1:{site.port}{path}",
            headers={name: value for name, value in fields.items() if value},
        )
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()["error"]["message"]


async def drained(socket: WebSocketConnection) -> None:
    """Takes messages until the server closes the connection."""
    while True:
        await socket.get_message()


async def closed(socket: WebSocketConnection) -> int:
    """The code with which the server closes the connection."""
    with pytest.raises(ConnectionClosed) as caught:
        await drained(socket)
    assert caught.value.reason is not None
    return int(caught.value.reason.code)


async def test_a_message_is_a_text_frame(site: Site) -> None:
    """The handshake, a call with a message before its answer, a notification of the server."""
    async with connected(site) as socket:
        assert socket.subprotocol == "mcp"
        assert (await ask(socket, INITIALIZE))["id"] == 0
        assert site.last.transport == "websocket"
        assert (await ask(socket, request("chatty", 1)))["method"] == "notifications/message"
        assert msgspec.json.decode(await socket.get_message()) == {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {},
        }
        site.last.notify()
        assert "list_changed" in await socket.get_message()
        text = "ü\n" * 300_000
        assert (await ask(socket, request("echo", 2, text=text)))["result"] == {"text": text}
    await site.last.was_closed.wait()


async def test_small_messages_are_not_joined(site: Site) -> None:
    """One frame each, however fast they come."""
    async with connected(site) as socket:
        await ask(socket, INITIALIZE)
        for _ in range(5):
            site.last.notify()
        for _ in range(5):
            assert (await socket.get_message()).count("jsonrpc") == 1


async def test_what_is_no_message_is_answered(site: Site) -> None:
    """And the connection goes on; a batch, too, where there are none."""
    async with connected(site) as socket:
        for text, code in (("{", -32700), ("[1]", -32600), ("3", -32600)):
            await socket.send_message(text)
            assert msgspec.json.decode(await socket.get_message())["error"]["code"] == code
        site.last.protocol_version = "2025-03-26"
        await socket.send_message('[{"jsonrpc":"2.0","id":1,"method":"ping"}]')
        assert (await socket.get_message()).startswith("[{")


async def test_no_token_is_401(site: Site) -> None:
    """Nor is one among the subprotocols or in the URL."""
    for path, more in (
        ("/ws", {"Authorization": ""}),
        ("/ws", {"Authorization": "Bearer wrong"}),
        (f"/ws?token={TOKEN}", {"Authorization": ""}),
    ):
        assert (await refusal(site, path, **more))[0] == 401
    assert site.sessions.all == []


async def test_an_open_gateway_asks_for_no_token() -> None:
    """`--allow-unauthenticated`."""
    async with serving(Site(auth=Open())) as site, connected(site, Authorization="") as socket:
        assert (await ask(socket, INITIALIZE))["id"] == 0


async def test_foreign_pages_are_refused(site: Site) -> None:
    """Browsers let any page open a WebSocket anywhere, so that this is what stops them."""
    status, sentence = await refusal(site, Origin="http://evil.example.com")
    assert (status, "--allow-origin" in sentence) == (403, True)
    status, sentence = await refusal(site, Host="evil.example.com")
    assert status == 403
    async with connected(site, Origin="http://localhost:3000") as socket:
        assert (await ask(socket, INITIALIZE))["id"] == 0


@pytest.mark.parametrize("offered", ["", "soap"])
async def test_the_subprotocol_is_asked_for(site: Site, offered: str) -> None:
    """Who does not offer it does not speak MCP."""
    status, sentence = await refusal(site, **{"Sec-WebSocket-Protocol": offered})
    assert (status, "Sec-WebSocket-Protocol: mcp" in sentence) == (400, True)
    assert site.sessions.all == []


async def test_other_addresses_have_no_websocket(site: Site) -> None:
    """404 there; and the address of the WebSocket is for nothing else."""
    status, sentence = await refusal(site, "/mcp")
    assert (status, "/ws" in sentence) == (404, True)
    async with site.client() as client:
        plain = await client.get("/ws")
        assert (plain.status_code, plain.headers["upgrade"]) == (426, "websocket")
        assert (await client.post("/ws", json=INITIALIZE)).status_code == 405


async def test_a_gateway_that_drains_or_is_full_opens_nothing(site: Site) -> None:
    """503, before the session."""
    site.health.accepting = False
    assert (await refusal(site))[0] == 503
    site.health.accepting = True
    site.sessions.full = True
    assert (await refusal(site))[0] == 503


async def test_binary_frames_are_refused(site: Site) -> None:
    """With the code that says so; the session ends."""
    async with connected(site) as socket:
        await socket.send_message(b"{}")
        assert await closed(socket) == 1003
    assert site.last.closed


async def test_a_message_that_is_too_long_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether its characters or only its bytes are too many; the client gets to read why."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 100_000)
    async with serving(Site()) as site:
        for text in ("x" * 1_000_000, "ü" * 60_000):
            async with connected(site) as socket:
                with suppress(ConnectionClosed):
                    await socket.send_message(text)
                assert await closed(socket) == 1009
            assert site.last.closed


async def test_one_who_sends_on_after_that_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 100_000)
    monkeypatch.setattr(limits, "LINGER_S", 0.05)
    async with serving(Site()) as site:
        stream = await trio.open_tcp_stream("127.0.0.1", site.port)
        async with stream:
            await stream.send_all(HANDSHAKE + b"\r\n")
            await stream.receive_some()
            with suppress(trio.BrokenResourceError):
                # A frame that announces 2**40 bytes, and then brings them.
                await stream.send_all(b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0")
                while not site.last.closed:
                    await stream.send_all(b"x" * 65536)
            with pytest.raises(trio.BrokenResourceError):
                await flood(stream)
        assert site.last.closed


async def flood(stream: trio.SocketStream) -> None:
    """Sends until it is stopped."""
    while True:
        await stream.send_all(b"x" * 65536)


async def test_compression_is_declined(site: Site) -> None:
    """A client may offer it; a few bytes could become gigabytes."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(HANDSHAKE + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        answer = bytes(await stream.receive_some())
    assert answer.startswith(b"HTTP/1.1 101")
    assert b"extensions" not in answer.lower()


@pytest.mark.parametrize("version", [b"13", b"12"])
async def test_a_client_that_breaks_the_handshake_is_cut_off(site: Site, version: bytes) -> None:
    """One that sends before it was accepted, or speaks another version: the connection does not linger."""
    head = HANDSHAKE.replace(b"13", version)
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(head + b"\r\n" + b"early")
        seen = b""
        while chunk := await stream.receive_some():
            seen += chunk
        assert seen.startswith(b"HTTP/1.1 400")


async def test_a_client_that_vanishes_ends_its_session(site: Site) -> None:
    """Without a word; nothing of it stays for the next ping."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(HANDSHAKE + b"\r\n")
        await stream.receive_some()
    with trio.fail_after(1):
        await site.last.was_closed.wait()


async def test_a_silent_connection_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies cut what is silent."""
    monkeypatch.setattr(limits, "WEBSOCKET_PING_S", 0.02)
    async with (
        serving(Site()) as site,
        await trio.open_tcp_stream("127.0.0.1", site.port) as stream,
    ):
        await stream.send_all(HANDSHAKE + b"\r\n")
        seen = b""
        while seen.count(b"\x89\0") < 2:
            seen += await stream.receive_some()


async def test_the_end_of_the_session_ends_the_connection(site: Site) -> None:
    """The client is told what has happened, after what was on its way to it."""
    async with connected(site) as socket:
        await ask(socket, INITIALIZE)
        site.last.notify()
        site.last.close()
        assert "list_changed" in await socket.get_message()
        assert await closed(socket) == 1001


async def test_a_client_that_does_not_read_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its session ends, whatever its connection does."""
    monkeypatch.setattr(limits, "SEND_STALL_S", 0.05)
    monkeypatch.setattr(limits, "LINGER_S", 0.05)
    async with (
        serving(Site()) as site,
        await trio.open_tcp_stream("127.0.0.1", site.port) as stream,
    ):
        await stream.send_all(HANDSHAKE + b"\r\n")
        await stream.receive_some()
        outlet = site.last.attached
        assert outlet is not None
        outlet._backlog._max_bytes = 20_000_000  # type: ignore[attr-defined]
        for _ in range(30):
            outlet.send(b"x" * 1_000_000)
        await site.last.was_closed.wait()
    assert "client_does_not_read" in caplog.text
