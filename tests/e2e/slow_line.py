"""A relay before a gateway whose way back can be slowed down: what a client looks like that reads little, or nothing for a while."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from tests.e2e.gateways import Network

_CHUNK: Final = 65536


class SlowLine:
    """Made by `slow_line`.

    Args:
        listener: where clients connect; closed by `slow_line`.
        behind: where the gateway listens.
    """

    def __init__(self, listener: socket.socket, behind: tuple[str, int]) -> None:
        self.flows = threading.Event()
        """While it is set, what the gateway sends goes on to its clients."""
        self.flows.set()
        self.bytes_per_s = 0
        """How fast that is; 0 for as fast as it goes."""
        self._listener = listener
        self._behind = behind
        self._open: list[socket.socket] = []

    def accept(self) -> None:
        """Relays connections until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                gateway = socket.create_connection(self._behind)
            except ConnectionError:
                client.close()
                continue
            self._open += [client, gateway]
            for source, target, held in ((client, gateway, False), (gateway, client, True)):
                threading.Thread(
                    target=self._copy, args=(source, target), kwargs={"held": held}, daemon=True
                ).start()

    def cut(self) -> None:
        """Breaks every connection."""
        self.flows.set()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _copy(self, source: socket.socket, target: socket.socket, *, held: bool) -> None:
        """Moves bytes one way, the end included."""
        with suppress(OSError):
            while True:
                if held:
                    self.flows.wait()
                if not (chunk := source.recv(_CHUNK)):
                    break
                target.sendall(chunk)
                if held and self.bytes_per_s:
                    time.sleep(len(chunk) / self.bytes_per_s)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def slow_line(gateway: Network) -> Iterator[tuple[SlowLine, Network]]:
    """A line, and the gateway as it is seen through it."""
    parts = urlsplit(gateway.url)
    assert parts.hostname is not None
    assert parts.port is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = SlowLine(listener, (parts.hostname, parts.port))
        threading.Thread(target=line.accept, daemon=True).start()
        try:
            yield line, gateway.seen_at(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            # Wakes the thread that accepts; closing alone does not.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            line.cut()
