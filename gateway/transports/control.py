"""The gateway's own socket, for the commands of its user: whoever connects is told the gateway's state, as one JSON text.

It lies in the home's `run/`, which is the user's alone, and so is the socket. There are no requests, so that nothing can be
asked for that changes anything. Must not know what is told.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from gateway import limits
from gateway.running import socket_address
from gateway.telemetry.log import get_logger

log = get_logger("control")

Tell = Callable[[], Awaitable[bytes]]
"""Makes the text. Bounded by itself."""


async def serve_control(path: Path, tell: Tell) -> None:
    """Tells everybody who connects to `path`, until cancelled; then the socket is gone.

    A home whose file system knows no sockets has none: the gateway works without.
    """
    try:
        listening = _listen(path)
    except OSError as error:
        log.warning("no_control_socket", path=str(path), reason=str(error))
        await trio.sleep_forever()

    async def answer(stream: trio.SocketStream) -> None:
        with trio.move_on_after(limits.CONTROL_S):
            try:
                await stream.send_all(await tell())
            except trio.BrokenResourceError:
                log.debug("control_client_left")
        await trio.aclose_forcefully(stream)

    try:
        await trio.serve_listeners(answer, [trio.SocketListener(listening)])
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _listen(path: Path) -> trio.socket.SocketType:
    """A listening socket that only its user can connect to."""
    bound = socket.socket(socket.AF_UNIX)
    try:
        with socket_address(path) as address:
            bound.bind(address)
        path.chmod(0o600)
        bound.listen(limits.CONTROL_BACKLOG)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return trio.socket.from_stdlib_socket(bound)
