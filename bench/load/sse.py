"""The client for the HTTP+SSE transport: calls go out as POSTs, answers come as events on one stream."""

from __future__ import annotations

import select
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urljoin, urlsplit

from bench.errors import Broken
from bench.load import mcp
from bench.load.client import ANSWER_S, time_calls
from bench.load.http import Connection, Target, check, connections
from bench.load.http_parser import Dechunker, parse_head

_CHUNK: Final = 256 * 1024


class EventReader:
    """Gives the data of events. Chunks and events may be cut anywhere."""

    def __init__(self) -> None:
        self._dechunk = Dechunker()
        self._rest = b""

    def feed(self, content: bytes) -> list[bytes]:
        """The data lines that are complete by now; one message is one line."""
        *lines, self._rest = (self._rest + self._dechunk.feed(content)).split(b"\n")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]


class SseClient:
    """A session over one event stream."""

    def __init__(self, target: Target, stream: socket.socket) -> None:
        self._target = target
        self._stream = stream
        self._readable = select.poll()
        self._readable.register(stream, select.POLLIN)
        self._events = EventReader()
        self.head = b""
        """The head of the session's POSTs, without length and end; known once it is open."""
        self._last_id = 0
        self.tool = b"echo"
        """The echo tool's name, as it is shown here; known once the session is open."""

    def fileno(self) -> int:
        """The event stream's descriptor, for a generator that takes over."""
        return self._stream.fileno()

    def open(self) -> None:
        """Opens the session, finds the echo tool, and makes the first call, which may start a container."""
        self.introduce()
        with connections(self._target.port, 1) as (connection,):
            self._call(connection)

    def introduce(self) -> None:
        """Opens the session and finds the echo tool; nothing is called."""
        address = self._first_event()
        # A reference, relative to the stream's own address.
        parts = urlsplit(urljoin(self._target.path, address.decode()))
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.head = Target(self._target.port, path, self._target.token).head(
            "POST", "application/json, text/event-stream"
        )
        with connections(self._target.port, 1) as (connection,):
            mcp.result(self._ask(connection, mcp.initialize(self._next_id())))
            connection.exchange(self.head, mcp.INITIALIZED)
            self.tool = mcp.echo_tool(
                lambda: self._ask(connection, mcp.list_tools(self._next_id()))
            )

    def alone(self, seconds: float) -> list[int]:
        """See `Client`."""
        with connections(self._target.port, 1) as (connection,):
            return time_calls(lambda: self._call(connection), seconds)

    def crowd(self, depth: int, seconds: float) -> int:
        """See `Client`."""
        with connections(self._target.port, depth) as opened, selectors.DefaultSelector() as ready:
            ready.register(self._stream, selectors.EVENT_READ, None)
            for connection in opened:
                ready.register(connection.socket, selectors.EVENT_READ, connection)
            until = time.perf_counter() + seconds
            free, waiting, done = opened, 0, 0
            while True:
                if time.perf_counter() < until:
                    while free and waiting < depth:
                        self._send(free.pop())
                        waiting += 1
                elif not waiting and len(free) == depth:
                    return done
                answered = self._collect(ready, free)
                waiting -= answered
                done += answered

    def _collect(self, ready: selectors.BaseSelector, free: list[Connection]) -> int:
        """Reads what is there: how many calls were answered. Connections whose POST was taken become free."""
        events = ready.select(ANSWER_S)
        if not events:
            raise Broken(f"no answer within {ANSWER_S:.0f} s")
        answered = 0
        for key, _ in events:
            if key.data is None:
                answered += sum(mcp.is_answer(message) for message in self._receive())
            elif (response := key.data.receive()) is not None:
                check(response)
                free.append(key.data)
        return answered

    def _first_event(self) -> bytes:
        """Asks for the stream; gives the address that the server wants POSTs at."""
        self._stream.sendall(self._target.head("GET", "text/event-stream") + b"\r\n\r\n")
        buffer = b""
        while b"\r\n\r\n" not in buffer:
            chunk = self._stream.recv(_CHUNK)
            if not chunk:
                raise Broken("the server has closed the event stream")
            buffer += chunk
        head, _, rest = buffer.partition(b"\r\n\r\n")
        status, headers = parse_head(head)
        if status != 200 or headers.get(b"transfer-encoding") != b"chunked":
            raise Broken(f"the event stream was answered with HTTP {status}")
        events = self._events.feed(rest)
        while not events:
            events = self._receive()
        return events[0]

    def _receive(self) -> list[bytes]:
        """The messages of the next bytes; perhaps none."""
        if not self._readable.poll(ANSWER_S * 1000):
            raise Broken(f"no event within {ANSWER_S:.0f} s")
        chunk = self._stream.recv(_CHUNK)
        if not chunk:
            raise Broken("the server has closed the event stream")
        return self._events.feed(chunk)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _ask(self, connection: Connection, request: bytes) -> bytes:
        connection.exchange(self.head, request)
        while True:
            for message in self._receive():
                if b'"method"' not in message:
                    return message

    def _send(self, connection: Connection) -> None:
        connection.send(self.head, mcp.call_echo(self._next_id(), self.tool))

    def _call(self, connection: Connection) -> None:
        """One call: it has ended when its POST was taken and its answer is there."""
        self._send(connection)
        while (response := connection.receive()) is None:
            pass
        check(response)
        while not sum(mcp.is_answer(message) for message in self._receive()):
            pass


@contextmanager
def event_stream(target: Target) -> Iterator[SseClient]:
    """A client with an open stream; `open` has still to be called."""
    with socket.create_connection(("127.0.0.1", target.port), ANSWER_S) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield SseClient(target, stream)
