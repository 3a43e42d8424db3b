"""What is the same for every connection to a remote server: the entry's headers, and why none came about. No I/O."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from gateway.errors import Unavailable


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
