"""WebSockets as a client: the handshake, what may go wrong with it, silence, goodbyes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
import trio_websocket
from trio.testing import wait_all_tasks_blocked
from trio_websocket import WebSocketConnection

from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import Gone, Overloaded
from gateway.jsonrpc.codec import decode, encode
from gateway.jsonrpc.messages import Notification, Request, Result
from gateway.upstreams import open_remote
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.websocket import WebSocketPipe
from tests.fakes.socket_server import Handler, SocketServer, serve_socket

PATIENCE_S = 5
CANCELLED = Notification("notifications/cancelled", msgspec.Raw(b'{"requestId":1}'))


@asynccontextmanager
async def running(
    handler: Handler,
    *,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    url: str = "{}",
    subprotocol: str | None = "mcp",
) -> AsyncIterator[tuple[WebSocketPipe, SocketServer]]:
    """The pipe, and the server at its other end; both gone after the block."""
    with trio.fail_after(PATIENCE_S):
        async with (
            serve_socket(handler, tls=tls, subprotocol=subprotocol) as server,
            trio.open_nursery() as nursery,
        ):
            pipe = pipe_to(url.format(server.url), headers)
            nursery.start_soon(pipe.run)
            try:
                yield pipe, server
            finally:
                await pipe.aclose()


def pipe_to(
    url: str, headers: Mapping[str, str] | None = None, credentials: Credentials | None = None
) -> WebSocketPipe:
    """A pipe that does not run yet."""
    launch = RemoteLaunch(url=url, transport="websocket", headers=headers or {})
    return WebSocketPipe(launch, server="fake", credentials=credentials)


async def echo(connection: WebSocketConnection) -> None:
    """Answers every request with its params; other messages come back as they are."""
    while True:
        message = decode((await connection.get_message()).encode())
        if isinstance(message, Request):
            message = Result(message.id, message.params or msgspec.Raw(b"{}"))
        await connection.send_message(encode(message).decode())


async def ended(pipe: WebSocketPipe) -> str:
    """How the pipe ended."""
    with pytest.raises(Gone) as caught:
        await pipe.receive()
    return str(caught.value)


async def test_the_launch_names_the_kind() -> None:
    """`open_remote` makes it."""
    launch = RemoteLaunch(url="ws://mcp.example", transport="websocket")
    assert isinstance(await open_remote(launch, server="x"), WebSocketPipe)


async def test_the_opening_has_headers_path_and_subprotocol() -> None:
    """The entry's headers, trimmed; the query, too."""
    async with running(echo, headers={"Authorization": "Bearer k\n"}, url="{}?a=b") as (
        pipe,
        server,
    ):
        pipe.send(Request(1, "ping"))
        assert await pipe.receive() == Result(1, msgspec.Raw(b"{}"))
        (request,) = server.requests
        assert pipe.name == server.url
    assert request.path == "/mcp?a=b"
    assert request.proposed_subprotocols == ("mcp",)
    assert dict(request.headers)[b"authorization"] == b"Bearer k"


async def test_a_server_without_the_subprotocol_is_taken_at_its_word() -> None:
    """It accepted."""
    async with running(echo, subprotocol=None) as (pipe, _):
        pipe.send(Request(1, "ping"))
        assert await pipe.receive() == Result(1, msgspec.Raw(b"{}"))


async def test_a_cancellation_is_a_message_like_others() -> None:
    """As on stdio: there is no connection to drop."""
    async with running(echo) as (pipe, _):
        pipe.send(CANCELLED)
        assert await pipe.receive() == CANCELLED


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (401, [], "check the secrets in the header X-Key of its entry"),
        (404, [], "check the url of its entry"),
        (503, [(b"Retry-After", b"700")], "try again in 700 s"),
        (307, [(b"Location", b"https://elsewhere")], "write its final address"),
    ],
)
async def test_a_refused_opening_ends_the_pipe(
    status: int, headers: list[tuple[bytes, bytes]], text: str
) -> None:
    """The sentence is that of the status; never with the secret."""
    async with serve_socket(echo) as server:
        server.refuses = (status, headers, b"no")
        pipe = pipe_to(server.url, {"X-Key": "s3cret"})
        await pipe.run()
    message = await ended(pipe)
    assert text in message
    assert "'fake'" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("status", "headers", "keys"),
    [(401, [], [b"old", b"new"]), (429, [(b"Retry-After", b"0")], [b"old", b"old"])],
)
async def test_an_opening_that_is_refused_once_is_tried_again(
    status: int,
    headers: list[tuple[bytes, bytes]],
    keys: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the credentials of now, or when the server says; what was sent meanwhile is delivered then."""
    monkeypatch.setattr(limits, "PUT_OFF_FLOOR_S", 0.01)

    async def look_up() -> Mapping[str, str]:
        return {"X-Key": "new"}

    with trio.fail_after(PATIENCE_S):
        async with serve_socket(echo) as server, trio.open_nursery() as nursery:
            server.refuses, server.refuses_next = (status, headers, b"no"), 1
            credentials = Credentials({"X-Key": "old"}, look_up)
            pipe = pipe_to(server.url, {"X-Key": "old"}, credentials)
            pipe.send(Request(1, "ping"))
            nursery.start_soon(pipe.run)
            assert isinstance(await pipe.receive(), Result)
            await pipe.aclose()
    sent = [dict(request.headers)[b"x-key"] for request in server.requests]
    assert sent == keys


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"]
)
async def test_what_is_no_websocket_server_is_told(answer: bytes) -> None:
    """It answers something else, or hangs up."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(answer)

    assert "a WebSocket: check " in await ended(await ran_against(handle))


async def test_an_endless_refusal_is_cut_off() -> None:
    """A body has a bound here, too."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    await stream.send_all(b"4000\r\n%b\r\n" % (b"x" * 0x4000))
            except trio.BrokenResourceError:
                pass

    assert "broke the connection" in await ended(await ran_against(handle))


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither accepted nor refused."""
    monkeypatch.setattr(limits, "INITIALIZE_TIMEOUT_S", 0.05)

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            while await stream.receive_some():
                pass

    assert "did not answer the opening of a WebSocket in 0.05 s" in await ended(
        await ran_against(handle)
    )


async def test_a_server_that_lets_us_wait_for_tls_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that lets us wait for the connection."""
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT_S", 0.05)

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            while await stream.receive_some():
                pass

    assert "no connection in 0.05 s" in await ended(await ran_against(handle, scheme="wss"))
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT_S", 0)
    assert "no connection in 0 s" in await ended(await ran_against(handle))


async def test_a_broken_connection_is_told() -> None:
    """To who reads, and to who writes."""
    hung_up = trio.Event()

    async def handle(connection: WebSocketConnection) -> None:
        await connection._stream.aclose()
        hung_up.set()

    async with running(handle) as (pipe, _):
        await hung_up.wait()
        pipe.send(Request(1, "ping"))
        assert "broke the connection" in await ended(pipe)


async def ran_against(handle: object, *, scheme: str = "ws") -> WebSocketPipe:
    """A pipe that ran against a TCP server, and ended."""
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            pipe = pipe_to(f"{scheme}://127.0.0.1:{listener.socket.getsockname()[1]}/")
            await pipe.run()
            nursery.cancel_scope.cancel()
    return pipe


async def test_an_unreachable_server_is_told() -> None:
    """With its address."""
    async with serve_socket(echo) as server:
        pipe = pipe_to(server.url)
    await pipe.run()
    message = await ended(pipe)
    assert "cannot be reached: " in message
    assert str(server.port) in message


@pytest.mark.parametrize("url", ["http://x.example", "ws:///x", "ws://me:s3cret@x.example/"])
async def test_a_url_that_is_none_is_told(url: str) -> None:
    """Without what may be secret in it."""
    pipe = pipe_to(url)
    await pipe.run()
    message = await ended(pipe)
    assert "correct the url of its entry" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(("name", "value"), [("X-Key", "a\x00b"), ("X Key", "s3cret")])
async def test_a_header_that_cannot_be_sent_is_told(name: str, value: str) -> None:
    """The value is a secret."""
    async with serve_socket(echo) as server:
        pipe = pipe_to(server.url, {name: value})
        await pipe.run()
    message = await ended(pipe)
    assert "header" in message
    assert value not in message


async def test_binary_frames_and_rubbish_are_skipped() -> None:
    """A server that sends both is still served."""

    async def handle(connection: WebSocketConnection) -> None:
        await connection.send_message(b"{}")
        await connection.send_message("hello")
        await echo(connection)

    async with running(handle) as (pipe, _):
        pipe.send(Request(1, "ping"))
        assert await pipe.receive() == Result(1, msgspec.Raw(b"{}"))


async def test_a_message_that_is_too_long_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no way to skip it."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", 1000)

    async def handle(connection: WebSocketConnection) -> None:
        await connection.send_message("x" * 2000)
        await trio.sleep_forever()

    async with running(handle) as (pipe, _):
        assert "was closed with 1009: Exceeded maximum message size" in await ended(pipe)


@pytest.mark.parametrize("reason", [None, "maintenance\nnow"])
async def test_the_end_is_told_as_the_server_tells_it(reason: str | None) -> None:
    """With code and reason."""

    async def handle(connection: WebSocketConnection) -> None:
        await connection.aclose(1001, reason)

    async with running(handle) as (pipe, _):
        message = await ended(pipe)
        assert "was closed with 1001" in message
        assert ("maintenance now" in message) is bool(reason)
        with pytest.raises(Gone, match="was closed with 1001"):
            pipe.send(Request(1, "ping"))


async def test_closing_says_goodbye() -> None:
    """The server sees a clean end, once."""
    ends: list[object] = []

    async def handle(connection: WebSocketConnection) -> None:
        try:
            await echo(connection)
        except trio_websocket.ConnectionClosed as error:
            ends.append(error.reason and error.reason.code)

    async with running(handle) as (pipe, _):
        pipe.send(Request(1, "ping"))
        await pipe.receive()
        await pipe.aclose()
        await pipe.aclose()
        await wait_all_tasks_blocked(0.01)
    assert ends == [1000]


async def test_closing_does_not_wait_for_a_server_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The goodbye is bounded, although the server reads nothing any more."""
    monkeypatch.setattr(limits, "REMOTE_CLOSE_S", 0.05)

    async def handle(connection: WebSocketConnection) -> None:
        await connection.send_message(encode(CANCELLED).decode())
        await connection.send_message(encode(CANCELLED).decode())
        await trio.sleep_forever()

    async with running(handle) as (pipe, _):
        await pipe.receive()
        pipe.send(Request(1, "ping", msgspec.Raw(b'"%b"' % (b"x" * 4 * limits.MIB))))
        await pipe.aclose()


async def test_what_is_queued_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers leave room for requests."""
    monkeypatch.setattr(limits, "MAX_OUTBOUND_NOTES_BYTES", 80)
    monkeypatch.setattr(limits, "MAX_OUTBOUND_BYTES", 150)
    pipe = pipe_to("ws://127.0.0.1:1/")
    pipe.send(CANCELLED)
    with pytest.raises(Overloaded, match="does not read its input"):
        pipe.send(CANCELLED)
    pipe.send(Request(1, "ping"))
    with pytest.raises(Overloaded):
        pipe.send(Request(2, "p" * 100))
    assert "bytes queued" in repr(pipe)
    await pipe.aclose()


async def test_pings_keep_the_connection_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that only answers pings is not taken for gone."""
    monkeypatch.setattr(limits, "WEBSOCKET_PING_S", 0.01)
    monkeypatch.setattr(limits, "WEBSOCKET_SILENCE_S", 0.5)
    async with running(echo) as (pipe, _):
        with trio.move_on_after(1) as scope:
            await pipe.receive()
        assert scope.cancelled_caught


async def test_a_server_that_is_silent_for_too_long_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not even answer pings."""
    monkeypatch.setattr(limits, "WEBSOCKET_PING_S", 0.01)
    monkeypatch.setattr(limits, "WEBSOCKET_SILENCE_S", 0.05)

    async def handle(connection: WebSocketConnection) -> None:
        connection._send = forget  # type: ignore[method-assign] # no pongs either
        await trio.sleep_forever()

    async def forget(_event: object) -> None:
        pass

    async with running(handle) as (pipe, _):
        assert "silent for 0.05 s and answers no ping" in await ended(pipe)


async def test_over_tls_the_machine_decides_whom_to_trust(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with every other remote server."""
    async with running(echo, tls=tls, headers={"X-Key": "k"}) as (pipe, server):
        assert "its certificate is not trusted" in await ended(pipe)
        assert server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with running(echo, tls=tls) as (pipe, _):
        pipe.send(Request(1, "ping"))
        assert await pipe.receive() == Result(1, msgspec.Raw(b"{}"))
