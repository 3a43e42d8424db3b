"""Clients of every transport and era, with nothing but the standard library. Each opens, calls, and gives its outcomes.

An outcome is that of `tests.faults.caller.Caller`: `answer`, `error`, `cut`, `twice`. What is never answered is none of
them, and raises `Silent`.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from tests.e2e.gateways import Network, hello
from tests.e2e.places import Place
from tests.faults.caller import Caller, Refused, outcome_of

SILENT_S: Final = 40.0
"""More than any deadline of a call in the soak: an answer that is not there by then never comes."""
_MODERN: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
_MASK: Final = b"mask"


class Silent(Exception):
    """A request was never answered though its connection is there: what must not be."""


class Client(Protocol):
    """A client that is connected."""

    def call(self, tool: str, **arguments: Any) -> tuple[str, str]:
        """What becomes of a call."""


@contextmanager
def streamable(gateway: Network) -> Iterator[Client]:
    """Streamable HTTP with a session, which it ends."""
    caller = Caller(gateway.url, gateway.token, timeout_s=SILENT_S)
    caller.initialize()
    yield _Spoken(caller)
    caller.leave()


class _Spoken:
    """A `Caller` that tells silence from an end."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def call(self, tool: str, **arguments: Any) -> tuple[str, str]:
        outcome = self._caller.call(tool, **arguments)
        if "TimeoutError" in outcome[1] or "timed out" in outcome[1]:
            raise Silent(f"{tool}: {outcome[1]}")
        return outcome


@contextmanager
def modern(gateway: Network) -> Iterator[Client]:
    """Revision 2026-07-28: each request by itself."""
    yield _Modern(gateway)


class _Modern:
    def __init__(self, gateway: Network) -> None:
        self._gateway = gateway
        self._ids = itertools.count(1)

    def call(self, tool: str, **arguments: Any) -> tuple[str, str]:
        identity = next(self._ids)
        params = {"name": tool, "arguments": arguments, "_meta": _MODERN}
        body = {"jsonrpc": "2.0", "id": identity, "method": "tools/call", "params": params}
        headers = {
            "Authorization": f"Bearer {self._gateway.token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        connection = http.client.HTTPConnection(*_address(self._gateway), timeout=SILENT_S)
        try:
            connection.request("POST", "/mcp", json.dumps(body).encode(), headers)
            text = connection.getresponse().read().decode()
        except TimeoutError as error:
            raise Silent(tool) from error
        except (OSError, http.client.HTTPException) as error:
            return "cut", repr(error)
        finally:
            connection.close()
        lines = [line[5:] for line in text.splitlines() if line.startswith("data:")] or [text]
        answers = [one for one in map(json.loads, filter(None, lines)) if one.get("id") == identity]
        return _only(answers)


@contextmanager
def sse(gateway: Network) -> Iterator[Client]:
    """HTTP+SSE of 2024-11-05."""
    headers = {"Authorization": f"Bearer {gateway.token}", "Accept": "text/event-stream"}
    connection = http.client.HTTPConnection(*_address(gateway), timeout=SILENT_S)
    try:
        connection.request("GET", "/sse", headers=headers)
        with connection.getresponse() as stream:
            client = _Sse(gateway, stream)
            client.initialize()
            yield client
    finally:
        connection.close()


class _Conversation:
    """A client whose answers come on a stream of their own, whatever that is."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def initialize(self) -> None:
        outcome, text = self._ask("initialize", hello())
        if outcome != "answer":
            raise Refused(text)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: Any) -> tuple[str, str]:
        return self._ask("tools/call", {"name": tool, "arguments": arguments})

    def _ask(self, method: str, params: dict[str, Any]) -> tuple[str, str]:
        identity = next(self._ids)
        try:
            self._send({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
            while True:
                message = self._receive()
                if message.get("id") == identity and "method" not in message:
                    return outcome_of(message)
                if "method" not in message:
                    return "twice", json.dumps(message)
        except TimeoutError as error:
            raise Silent(method) from error
        except (OSError, EOFError, http.client.HTTPException) as error:
            return "cut", repr(error)

    def _send(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    def _receive(self) -> dict[str, Any]:
        raise NotImplementedError


class _Sse(_Conversation):
    def __init__(self, gateway: Network, stream: http.client.HTTPResponse) -> None:
        super().__init__()
        self._gateway = gateway
        self._stream = stream
        self._endpoint = self._data()

    def _send(self, message: dict[str, Any]) -> None:
        headers = {
            "Authorization": f"Bearer {self._gateway.token}",
            "Content-Type": "application/json",
        }
        connection = http.client.HTTPConnection(*_address(self._gateway), timeout=SILENT_S)
        try:
            connection.request("POST", self._endpoint, json.dumps(message).encode(), headers)
            response = connection.getresponse()
            response.read()
            if response.status >= 400:
                raise ConnectionError(str(response.status))
        finally:
            connection.close()

    def _receive(self) -> dict[str, Any]:
        return dict(json.loads(self._data()))

    def _data(self) -> str:
        for line in iter(self._stream.readline, b""):
            if line.startswith(b"data:"):
                return line[5:].strip().decode()
        raise EOFError("the stream has ended")


@contextmanager
def websocket(gateway: Network) -> Iterator[Client]:
    """WebSocket, subprotocol `mcp`."""
    with socket.create_connection(_address(gateway), SILENT_S) as connection:
        client = _WebSocket(connection, gateway)
        client.initialize()
        yield client


class _WebSocket(_Conversation):
    """RFC 6455 as far as text frames go."""

    def __init__(self, connection: socket.socket, gateway: Network) -> None:
        super().__init__()
        self._connection = connection
        self._file = connection.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        host, port = _address(gateway)
        connection.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mcp\r\n"
            f"Authorization: Bearer {gateway.token}\r\n\r\n".encode()
        )
        status = self._file.readline()
        if b" 101 " not in status:
            raise Refused(status.decode())
        while self._file.readline().strip():
            pass

    def _send(self, message: dict[str, Any]) -> None:
        self._frame(0x81, json.dumps(message).encode())

    def _frame(self, head: int, payload: bytes) -> None:
        masked = bytes(byte ^ _MASK[at % 4] for at, byte in enumerate(payload))
        length = len(payload)
        size = (
            struct.pack("!B", 0x80 | length) if length < 126 else struct.pack("!BH", 0xFE, length)
        )
        self._connection.sendall(bytes([head]) + size + _MASK + masked)

    def _receive(self) -> dict[str, Any]:
        while True:
            head = self._file.read(2)
            if len(head) < 2:
                raise EOFError("the connection has ended")
            length = head[1] & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self._file.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._file.read(8))
            payload = self._file.read(length)
            if len(payload) < length:
                raise EOFError("the connection has ended")
            match head[0] & 0x0F:
                case 0x1:
                    return dict(json.loads(payload))
                case 0x8:
                    raise EOFError("the connection was closed")
                case 0x9:
                    self._frame(0x8A, payload)


@contextmanager
def stdio(place: Place) -> Iterator[Client]:
    """A gateway of its own on stdio, as desktop clients start them."""
    with place.stdio() as pipe:
        pipe.initialize()
        yield _Pipe(pipe)
        assert pipe.owes_nothing()


class _Pipe:
    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def call(self, tool: str, **arguments: Any) -> tuple[str, str]:
        params = {"name": tool, "arguments": arguments}
        return outcome_of(self._pipe.request("tools/call", params, deadline_s=SILENT_S))


def _only(answers: list[dict[str, Any]]) -> tuple[str, str]:
    if len(answers) != 1:
        return ("twice" if answers else "cut"), json.dumps(answers)
    return outcome_of(answers[0])


def _address(gateway: Network) -> tuple[str, int]:
    return Caller(gateway.url, "").address
