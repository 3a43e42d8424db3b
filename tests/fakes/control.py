"""A running gateway's control socket, without the gateway."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.home import Home
from gateway.running import socket_address


@contextmanager
def talking_gateway(home: Path, report: object) -> Iterator[None]:
    """Something that says the same as a gateway of that home would, to whoever connects first."""
    Home(home).run.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        with socket_address(Home(home).control("2" * 32)) as address:
            listening.bind(address)
        listening.listen()

        def answer() -> None:
            asking, _ = listening.accept()
            with asking:
                asking.sendall(json.dumps(report).encode())

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()
