"""The Streamable HTTP client: keep-alive connections, each with one call in flight. Must not know whom it measures."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import msgspec

from bench.errors import Broken
from bench.load import mcp
from bench.load.client import ANSWER_S, time_calls
from bench.load.http_parser import Response, ResponseReader

_CHUNK: Final = 256 * 1024


class Target(msgspec.Struct, frozen=True):
    """Where to call."""

    port: int
    path: str
    token: str = ""

    def head(self, method: str, accept: str, *extra: str) -> bytes:
        """A request's head without the length and without its end."""
        lines = [
            f"{method} {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Accept: {accept}",
            "Content-Type: application/json",
            *((f"Authorization: Bearer {self.token}",) if self.token else ()),
            *extra,
        ]
        return "\r\n".join(lines).encode()


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = ResponseReader()
        self.received = 0
        """Bytes that have come so far."""

    def send(self, head: bytes, body: bytes) -> None:
        """Sends one request with one write."""
        self.socket.sendall(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))

    def receive(self) -> Response | None:
        """Reads once; the response, if it is complete."""
        chunk = self.socket.recv(_CHUNK)
        if not chunk:
            raise Broken("the server has closed a keep-alive connection")
        self.received += len(chunk)
        return self._reader.feed(chunk)

    def exchange(self, head: bytes, body: bytes) -> Response:
        """Sends a request and waits for its response.

        Raises:
            Broken: the status is no success.
        """
        self.send(head, body)
        while (response := self.receive()) is None:
            pass
        return check(response)

    def close(self) -> None:
        """Closes the connection."""
        self.socket.close()


def check(response: Response) -> Response:
    """The response itself.

    Raises:
        Broken: the status is no success.
    """
    if response.status // 100 != 2:
        raise Broken(f"HTTP {response.status}: {response.body[:200].decode(errors='replace')}")
    return response


@contextmanager
def connections(port: int, count: int) -> Iterator[list[Connection]]:
    """Fresh connections: servers close those that were idle since the last round."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = Connection(port)
            stack.callback(connection.close)
            opened.append(connection)
        yield opened


def message_in(body: bytes) -> bytes:
    """The last message of an answer, be it JSON or an event stream."""
    if body.startswith(b"{"):
        return body
    data = [line for line in body.splitlines() if line.startswith(b"data:")]
    return data[-1].removeprefix(b"data:").strip() if data else b""


class HttpClient:
    """A session over Streamable HTTP."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._last_id = 0
        self.tool = b"echo"
        """The echo tool's name, as it is shown here; known once the session is open."""
        self.head = target.head("POST", "application/json, text/event-stream")
        """The head of the session's requests, without length and end."""

    def open(self) -> None:
        """Opens the session, finds the echo tool, and makes the first call, which may start a container."""
        self.introduce()
        with connections(self.target.port, 1) as (connection,):
            self._call(connection)

    def introduce(self) -> None:
        """Opens the session and finds the echo tool; nothing is called."""
        with connections(self.target.port, 1) as (connection,):
            answer = connection.exchange(self.head, mcp.initialize(self._next_id()))
            mcp.result(message_in(answer.body))
            session = answer.headers.get(b"mcp-session-id")
            if session is not None:
                self.head += b"\r\nMcp-Session-Id: " + session
            self.head += b"\r\nMCP-Protocol-Version: " + mcp.PROTOCOL.encode()
            connection.exchange(self.head, mcp.INITIALIZED)
            self.tool = mcp.echo_tool(lambda: self._tools(connection))

    def _tools(self, connection: Connection) -> bytes:
        """The answer to `tools/list`."""
        listed = connection.exchange(self.head, mcp.list_tools(self._next_id()))
        return message_in(listed.body)

    def leave(self) -> None:
        """Ends the session."""
        head = self.head.replace(b"POST", b"DELETE", 1)
        with connections(self.target.port, 1) as (connection,):
            connection.exchange(head, b"")

    def alone(self, seconds: float) -> list[int]:
        """See `Client`."""
        with connections(self.target.port, 1) as (connection,):
            return time_calls(lambda: self._call(connection), seconds)

    def crowd(self, depth: int, seconds: float) -> int:
        """See `Client`."""
        with connections(self.target.port, depth) as opened, selectors.DefaultSelector() as ready:
            until = time.perf_counter() + seconds
            for connection in opened:
                ready.register(connection.socket, selectors.EVENT_READ, connection)
                self._send(connection)
            waiting, done = depth, 0
            while waiting:
                for connection in self._readable(ready):
                    response = connection.receive()
                    if response is None:
                        continue
                    _check_answer(response)
                    done += 1
                    if time.perf_counter() < until:
                        self._send(connection)
                    else:
                        waiting -= 1
            return done

    def _readable(self, ready: selectors.BaseSelector) -> list[Connection]:
        events = ready.select(ANSWER_S)
        if not events:
            raise Broken(f"no answer within {ANSWER_S:.0f} s")
        return [key.data for key, _ in events]

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _send(self, connection: Connection) -> None:
        connection.send(self.head, mcp.call_echo(self._next_id(), self.tool))

    def _call(self, connection: Connection) -> None:
        self._send(connection)
        while (response := connection.receive()) is None:
            pass
        _check_answer(response)


def _check_answer(response: Response) -> None:
    """Raises `Broken` unless it is the echo's answer."""
    check(response)
    if not mcp.is_answer(response.body):
        raise Broken("a call's response holds no answer")
