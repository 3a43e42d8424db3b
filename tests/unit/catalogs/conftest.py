"""A starter server as a process, spoken to over its pipes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import pytest

SERVERS = Path(__file__).parents[3] / "catalogs" / "servers"
PATIENCE_S = 10.0


class Server:
    """One running server."""

    def __init__(self, name: str, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SERVERS / name / "server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **env},
        )
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def write(self, line: bytes) -> None:
        """Sends a line as it is."""
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, method: str, params: object = None, **more: object) -> None:
        """Sends a message; a request if it has an `id`."""
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}, **more}
        self.write(json.dumps(message).encode())

    def receive(self) -> dict[str, Any]:
        """The next message."""
        while b"\n" not in self._buffer:
            assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], "no answer"
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            assert chunk, "the server has ended"
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def request(self, method: str, params: object = None) -> dict[str, Any]:
        """Sends a request, and returns its answer."""
        self.send(method, params, id="r")
        answer = self.receive()
        assert answer["id"] == "r"
        assert answer["jsonrpc"] == "2.0"
        return answer

    def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Calls a tool, and returns its result."""
        return self.request("tools/call", {"name": tool, "arguments": arguments})["result"]

    def complaint(self, tool: str, **arguments: object) -> str:
        """Calls a tool that is bound to refuse, and returns what it says."""
        result = self.call(tool, **arguments)
        assert result["isError"]
        return result["content"][0]["text"]

    def end(self) -> int:
        """Closes its stdin, and returns its exit status."""
        self.process.stdin.close()
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers by name, with environment variables; all are gone after the test."""
    with ExitStack() as stack:
        yield lambda name, **env: stack.enter_context(Server(name, env))


@pytest.fixture(scope="module")
def shared() -> Iterator[Callable[[str], Server]]:
    """Starts a stateless server once for all tests of a module."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def once(name: str) -> Server:
            if name not in servers:
                servers[name] = stack.enter_context(Server(name, {"NOTES_DIR": "/nonexistent"}))
            return servers[name]

        yield once
