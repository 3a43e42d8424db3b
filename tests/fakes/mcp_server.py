"""What a small MCP server does, whatever carries its messages: the other side of every message pipe in tests.

`Brain` is the server; the others let `tests.fakes.http_server` and `tests.fakes.socket_server` speak for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import trio
from trio_websocket import WebSocketConnection

from gateway.jsonrpc.codec import decode, encode
from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result
from gateway.jsonrpc.sse import encode_event
from gateway.mcp import headers
from tests.fakes.http_server import Exchange

Say = Callable[[bytes], Awaitable[None]]
"""Sends one frame, as it is, to the client."""

HELLO: Final = msgspec.Raw(
    b'{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"fake","version":"1"}}'
)
RUBBISH: Final = b"Starting server on stdio ..."
HALF_EMOJI: Final = b'{"jsonrpc":"2.0","method":"notifications/half","params":{"text":"\\ud83d"}}'


class Brain:
    """Answers requests by their method; keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.was_told = trio.Event()
        # Where a question's answer arrives, by the question's id.
        self._asked: dict[object, trio.MemorySendChannel[Message]] = {}

    async def take(self, frame: bytes, say: Say) -> None:
        """Handles one frame; everything it causes goes to `say`."""
        message = decode(frame)
        match message:
            case Request():
                await self._answer(message, say)
            case Result(id=number) | Failure(id=number) if number in self._asked:
                self._asked.pop(number).send_nowait(message)
            case _:
                self.told.append(message)
                self.was_told.set()

    async def _answer(self, request: Request, say: Say) -> None:
        result = request.params or msgspec.Raw(b"{}")
        match request.method:
            case "initialize":
                result = HELLO
            case "chat":
                await say(encode(Notification("notifications/progress", result)))
            case "rubbish":
                await say(RUBBISH)
                await say(HALF_EMOJI)
            case "ask":
                result = await self._ask(say)
            case "hang":
                await trio.sleep_forever()
            case _:
                pass
        await say(encode(Result(request.id, result)))

    async def _ask(self, say: Say) -> msgspec.Raw:
        """Asks the client something; its answer is what the caller's request gets."""
        arriving, waiting = trio.open_memory_channel[Message](1)
        self._asked["q"] = arriving
        await say(encode(Request("q", "roots/list")))
        answer = await waiting.receive()
        return answer.result if isinstance(answer, Result) else msgspec.Raw(b'"refused"')


class McpOverHttp:
    """The brain behind Streamable HTTP with sessions. Methods other than `echo` and `initialize` are answered by a stream."""

    def __init__(self, *, listens: bool = True) -> None:
        self.brain = Brain()
        self.sessions: set[str] = set()
        self.opened = 0
        self.listens = listens
        # The streams on which the server speaks first.
        self.streams: list[Exchange] = []

    async def __call__(self, exchange: Exchange) -> None:
        """Handles one HTTP request."""
        method = exchange.request.method
        session = exchange.request.headers.get("mcp-session-id", "")
        is_hello = method == "POST" and b'"initialize"' in exchange.request.body
        if not is_hello and session not in self.sessions:
            await exchange.respond(404, b'{"error":"no such session"}', content_type="text/plain")
        elif method == "POST":
            await self._post(exchange, is_hello=is_hello)
        elif method == "GET" and self.listens:
            await exchange.start(200, content_type="text/event-stream")
            self.streams.append(exchange)
            await exchange.until_closed()
        elif method == "DELETE":
            self.sessions.discard(session)
            await exchange.respond(204)
        else:
            await exchange.respond(405)

    async def _post(self, exchange: Exchange, *, is_hello: bool) -> None:
        message = decode(exchange.request.body)
        if not isinstance(message, Request):
            await self.brain.take(exchange.request.body, exchange.send)
            await exchange.respond(202)
        elif is_hello:
            self.opened += 1
            self.sessions.add(f"session-{self.opened}")
            await self._answer_json(exchange, mcp_session_id=f"session-{self.opened}")
        elif message.method == "echo":
            await self._answer_json(exchange)
        else:
            await exchange.start(200, content_type="text/event-stream; charset=utf-8")
            await self.brain.take(
                exchange.request.body, lambda frame: exchange.send(encode_event(frame))
            )
            await exchange.finish()

    async def _answer_json(self, exchange: Exchange, **headers: str) -> None:
        async def say(frame: bytes) -> None:
            await exchange.respond(200, frame, content_type="application/json", **headers)

        await self.brain.take(exchange.request.body, say)


class McpWithoutSessions:
    """The brain behind Streamable HTTP of the modern era, as `McpOverHttp` answers; insists on the headers of its requests."""

    def __init__(self) -> None:
        self.brain = Brain()

    async def __call__(self, exchange: Exchange) -> None:
        """Handles one HTTP request."""
        body = exchange.request.body
        message = decode(body)
        if not isinstance(message, Request):
            await self.brain.take(body, exchange.send)
            await exchange.respond(202)
            return
        headers.check_standard(exchange.request.headers, message)

        async def say(frame: bytes) -> None:
            await exchange.send(encode_event(frame))

        async def answer(frame: bytes) -> None:
            await exchange.respond(200, frame, content_type="application/json")

        if message.method == "echo":
            await self.brain.take(body, answer)
        else:
            await exchange.start(200, content_type="text/event-stream")
            await self.brain.take(body, say)
            await exchange.finish()


class McpOverSocket:
    """The brain behind WebSockets; a message of the client is taken while others are at work."""

    def __init__(self) -> None:
        self.brain = Brain()
        self._hung_up = trio.Event()

    async def __call__(self, connection: WebSocketConnection) -> None:
        """Serves one connection."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, connection, nursery)
            await self._hung_up.wait()
            nursery.cancel_scope.cancel()

    def hang_up(self) -> None:
        """Ends all connections."""
        self._hung_up.set()

    async def _read(self, connection: WebSocketConnection, nursery: trio.Nursery) -> None:
        async def say(frame: bytes) -> None:
            await connection.send_message(frame.decode("utf-8", "replace"))

        while True:
            frame = await connection.get_message()
            assert isinstance(frame, str)
            nursery.start_soon(self.brain.take, frame.encode(), say)


class McpOverSse:
    """The brain behind HTTP+SSE: everything it says goes to the newest stream."""

    def __init__(self, endpoint: str = "messages?session=1") -> None:
        self.brain = Brain()
        self.endpoint = endpoint
        self.stream: Exchange | None = None
        self._hung_up = trio.Event()
        # Answers are said by the tasks of their requests, and a stream takes one writer at a time.
        self._turn = trio.Lock()

    async def __call__(self, exchange: Exchange) -> None:
        """Handles one HTTP request."""
        if exchange.request.method == "GET":
            await exchange.start(200, content_type="text/event-stream")
            self.stream = exchange
            hung_up = self._hung_up
            await exchange.send(encode_event(self.endpoint.encode(), event="endpoint"))
            await hung_up.wait()
            await exchange.finish()
        elif exchange.request.method == "POST" and "session" in exchange.request.target:
            # A connection of its own: this one goes on to answer, which may take another POST.
            await exchange.respond(202, b"Accepted", connection="close")
            await self.brain.take(exchange.request.body, self.say)
        else:
            await exchange.respond(405)

    async def say(self, frame: bytes) -> None:
        """Sends one frame on the stream."""
        if self.stream is None:
            return
        async with self._turn:
            await self.stream.send(encode_event(frame))

    def hang_up(self) -> None:
        """Ends the stream; the next one is another."""
        self._hung_up.set()
        self._hung_up = trio.Event()
