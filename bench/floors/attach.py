"""The floor of all calls: one line to a container and one back, over the engine's attach stream, with nothing between.

Source: Docker Engine API, `ContainerAttach`: after the upgrade each frame is 8 bytes (stream, length) and its payload.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.engine import Engine, docker, engine_socket
from bench.errors import Broken
from bench.load.client import ANSWER_S
from bench.load.lines import LineClient

_CHUNK: Final = 256 * 1024
_HEADER: Final = 8
_STDOUT: Final = 1


class Attached:
    """The wire of an attach stream."""

    def __init__(self, stream: socket.socket, first: bytes) -> None:
        self._stream = stream
        self._buffer = first

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def send(self, content: bytes) -> None:
        """See `Wire`."""
        self._stream.sendall(content)

    def receive(self) -> bytes:
        """See `Wire`."""
        while not (payload := self._payload()):
            chunk = self._stream.recv(_CHUNK)
            if not chunk:
                raise Broken("the container has ended")
            self._buffer += chunk
        return payload

    def _payload(self) -> bytes:
        """What the complete frames in the buffer carry of stdout."""
        buffer, at, parts = self._buffer, 0, []
        while len(buffer) - at >= _HEADER:
            end = at + _HEADER + int.from_bytes(buffer[at + 4 : at + _HEADER])
            if len(buffer) < end:
                break
            if buffer[at] == _STDOUT:
                parts.append(buffer[at + _HEADER : end])
            at = end
        self._buffer = buffer[at:]
        return b"".join(parts)


@contextmanager
def attached_client(engine: Engine) -> Iterator[tuple[LineClient, int]]:
    """A client with a container of its own: attached before the start, log driver none, as the gateway does it.

    The second value is the stream's descriptor, for a generator that takes over once the session is open.
    """
    name = docker("create", *engine.run_options, "--log-driver", "none", engine.image)
    with attach(name) as wire:
        docker("start", name)
        try:
            yield LineClient(wire), wire.fileno()
        finally:
            docker("rm", "-f", name)


@contextmanager
def attach(name: str) -> Iterator[Attached]:
    """The attach stream of a container."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(ANSWER_S)
        stream.connect(engine_socket())
        target = f"/containers/{name}/attach?stream=1&stdin=1&stdout=1"
        stream.sendall(
            f"POST {target} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += stream.recv(_CHUNK)
        head, _, first = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.splitlines()[0]:
            raise Broken(f"the engine does not attach: {head.decode(errors='replace')}")
        yield Attached(stream, first)
