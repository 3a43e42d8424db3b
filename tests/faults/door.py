"""A proxy before the engine's socket, which can misbehave as an engine does: silent, slow, talking rubbish, gone.

Connections that were made before go on as they were: what runs is attached, what is asked anew is in trouble.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

Manner = Literal["pass", "hang", "slow", "flood", "garbage"]
"""What becomes of new connections. `slow`: each request is passed on after `SLOW_S`, those of earlier connections too."""

SLOW_S: Final = 5.0
_CHUNK: Final = 65536
_METHODS: Final = (b"GET ", b"HEAD ", b"POST ", b"DELETE ", b"PUT ")
_RUBBISH: Final = b"\x16\x03\x01 this is no HTTP \xff\xfe\r\n\r\n"
_ENDLESS: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


class Door:
    """Made by `door_before`."""

    def __init__(self, path: Path, behind: Path) -> None:
        self.path = path
        self.manner: Manner = "pass"
        self._behind = behind
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """As `DOCKER_HOST` has it."""
        return f"unix://{self.path}"

    def open(self) -> None:
        """Listens."""
        self._listener = listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(128)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Takes the socket away; connections stay."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Wakes the thread that accepts; closing alone does not.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self.path.unlink()

    def cut(self) -> None:
        """Breaks every connection."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        with client, suppress(OSError):
            match self.manner:
                case "hang":
                    while self.manner == "hang":
                        time.sleep(0.05)
                case "garbage":
                    client.recv(_CHUNK)
                    client.sendall(_RUBBISH)
                case "flood":
                    client.recv(_CHUNK)
                    client.sendall(_ENDLESS)
                    while self.manner == "flood":
                        client.sendall(b"[" * _CHUNK)
                case "slow" | "pass":
                    self._relay(client)
        self._open.discard(client)

    def _wait(self, chunk: bytes) -> None:
        """Holds a request back while the engine is slow."""
        if chunk.startswith(_METHODS):
            until = time.monotonic() + SLOW_S
            while self.manner == "slow" and time.monotonic() < until:
                time.sleep(0.05)

    def _relay(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(str(self._behind))
            self._open.add(engine)
            back = threading.Thread(target=_copy, args=(engine, client), daemon=True)
            back.start()
            _copy(client, engine, before=self._wait)
            back.join()
            self._open.discard(engine)


def _nothing(_chunk: bytes) -> None:
    """What is done before bytes are passed on."""


def _copy(
    source: socket.socket, target: socket.socket, *, before: Callable[[bytes], object] = _nothing
) -> None:
    """Moves bytes one way, the end included."""
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            before(chunk)
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def door_before(behind: Path) -> Iterator[Door]:
    """An open door before a socket, beside it."""
    door = Door(behind.with_name("door.sock"), behind)
    door.open()
    try:
        yield door
    finally:
        door.close()
        door.cut()
