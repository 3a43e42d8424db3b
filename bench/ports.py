"""TCP ports of programs under test: a free one, and the wait until somebody listens there."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import Final

from bench.errors import Broken

_READY_S: Final = 60.0
_POLL_S: Final = 0.002


def free_port() -> int:
    """A port of the loopback interface that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns once the program accepts connections.

    Raises:
        Broken: it ended before, or takes too long.
    """
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Broken(f"the program ended with {process.returncode} before it served")
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(_POLL_S)
    raise Broken(f"the program does not serve port {port} within {_READY_S:.0f} s")
