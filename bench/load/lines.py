"""The client for a stream of lines: a program's stdin and stdout, or a container's. Must not know what carries them."""

from __future__ import annotations

import time
from typing import Protocol

from bench.load import mcp
from bench.load.client import time_calls


class Wire(Protocol):
    """Two directions of bytes, blocking. Raises `Broken` where nothing comes."""

    def send(self, content: bytes) -> None:
        """Sends all of it."""

    def receive(self) -> bytes:
        """The next bytes; at least one."""


class LineClient:
    """A session over lines. Many requests go into one write, many answers come from one read, as with a busy client."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._rest = b""
        self._last_id = 0
        self.tool = b"echo"
        """The echo tool's name, as it is shown here; known once the session is open."""

    def initialize(self) -> None:
        """Opens the session; returns at the server's answer."""
        mcp.result(self._ask(mcp.initialize(self._next_id())))
        self._wire.send(mcp.INITIALIZED + b"\n")

    def tools(self) -> bytes:
        """The answer to `tools/list`."""
        return self._ask(mcp.list_tools(self._next_id()))

    def open(self) -> None:
        """Opens the session, finds the echo tool, and makes the first call, which may start a container."""
        self.initialize()
        self.tool = mcp.echo_tool(self.tools)
        self._call()

    def alone(self, seconds: float) -> list[int]:
        """See `Client`."""
        return time_calls(self._call, seconds)

    def crowd(self, depth: int, seconds: float) -> int:
        """See `Client`."""
        until = time.perf_counter() + seconds
        self._send_calls(depth)
        waiting, done = depth, 0
        while waiting:
            answered = sum(mcp.is_answer(line) for line in self._lines())
            done += answered
            if time.perf_counter() < until:
                self._send_calls(answered)
            else:
                waiting -= answered
        return done

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _send_calls(self, count: int) -> None:
        if count:
            calls = [mcp.call_echo(self._next_id(), self.tool) for _ in range(count)]
            self._wire.send(b"\n".join(calls) + b"\n")

    def _call(self) -> None:
        self._send_calls(1)
        while not sum(mcp.is_answer(line) for line in self._lines()):
            pass

    def _ask(self, request: bytes) -> bytes:
        """Sends one request, and gives the first message that is no notification."""
        self._wire.send(request + b"\n")
        while True:
            for line in self._lines():
                if b'"method"' not in line:
                    return line

    def _lines(self) -> list[bytes]:
        """The complete lines of the next bytes; perhaps none."""
        *lines, self._rest = (self._rest + self._wire.receive()).split(b"\n")
        return [line for line in lines if line.strip()]
