"""Which gateways of a home run, and what they say of themselves. Asks; changes nothing. Blocking.

Each has a socket in the home's `run/`, named after it. One that was killed leaves its socket behind, which refuses.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from gateway import limits
from gateway.home import Home


def reports(home: Home) -> list[dict[str, Any]]:
    """What every running gateway of this home says of itself (`ports.Health.report`), in the order of their ids."""
    texts = map(_ask, sorted(home.run.glob("*.sock")))
    return [msgspec.json.decode(text, type=dict[str, Any]) for text in texts if text]


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """What to bind or connect to for that path, within the block: a home's path may be longer than a socket's.

    Raises:
        OSError: its folder cannot be read.
    """
    if len(os.fsencode(path)) <= limits.SOCKET_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _ask(path: Path) -> bytes:
    """All that a socket says; nothing where nobody listens any more, or not in time."""
    try:
        with socket.socket(socket.AF_UNIX) as asking, socket_address(path) as address:
            asking.settimeout(limits.CONTROL_S)
            asking.connect(address)
            return b"".join(iter(lambda: asking.recv(limits.READ_CHUNK_BYTES), b""))
    except OSError:
        return b""
