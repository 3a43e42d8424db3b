"""What is the same for every connection to a remote server: the entry's headers, how it is watched, why none came about.

Must not know what is sent over it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from gateway import limits
from gateway.errors import Unavailable

# By name: not every system has all of them.
_PROBING: Final = [
    (getattr(socket, name), value)
    for name, value in (
        ("TCP_KEEPIDLE", limits.REMOTE_PROBE_AFTER_S),
        ("TCP_KEEPINTVL", limits.REMOTE_PROBE_EVERY_S),
        ("TCP_KEEPCNT", limits.REMOTE_PROBES),
    )
    if hasattr(socket, name)
]
"""How the kernel finds out that the other end has vanished."""


def checked_headers(given: Mapping[str, str], who: str) -> list[tuple[bytes, bytes]]:
    """The entry's headers as bytes; a secret that was read with its newline is trimmed.

    Raises:
        Unavailable: one cannot be sent.
    """
    headers: list[tuple[bytes, bytes]] = []
    for name, value in given.items():
        trimmed = value.strip()
        if not name.isascii() or not name or not trimmed.isprintable():
            raise Unavailable(
                f"{who} cannot be asked: the header {name!r} of its entry holds a character"
                " that no header may hold; check its secret"
            )
        headers.append((name.encode("ascii"), trimmed.encode()))
    return headers


async def probe_when_silent(event: str, info: Mapping[str, Any]) -> None:
    """Has the kernel look after each new connection. For httpx as an extension "trace": it is told what happens.

    An option of its transport would do, but a client with a transport of ours would use no proxies.
    """
    if event == "connection.connect_tcp.complete":
        connected = info["return_value"].get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _PROBING:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


def why_not_connected(error: BaseException) -> str:
    """The reason in an error or its causes: TLS errors are passed on without a text of their own."""
    cause: BaseException | None = error
    text = ""
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({cause.verify_message}); "
                "SSL_CERT_FILE can name a file of those to trust"
            )
        text = text or str(cause)
        cause = cause.__cause__ or cause.__context__
    return text or "the connection could not be made"
