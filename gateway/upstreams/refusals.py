"""What an HTTP status of a remote server means for the request that got it, as a sentence for people. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.errors import Gone, UpstreamError
from gateway.upstreams.retry_after import retry_after_s

_RETRYABLE: Final = {408, 429, 502, 503, 504}
_BROKEN_OFF: Final = {502, 504}
"""What a proxy says whose server gave no answer, though it may have executed something."""
_REASONS: Final[Mapping[int, str]] = {
    401: "refuses the credentials (401): {credentials}",
    403: "forbids this (403): {credentials}, and what it is allowed to do",
    404: "has no MCP endpoint there (404): check the url of its entry",
    405: "has no MCP endpoint there (405): check the url of its entry",
    407: "is behind a proxy that wants credentials (407): set them in HTTPS_PROXY",
    413: "takes no message of this size (413)",
    429: "gets too many requests (429): try again {later}",
    502: "is behind a proxy that got no answer from it (502): the outcome is unknown",
    503: "is not available now (503): try again {later}",
    504: "is behind a proxy that got no answer in time (504): the outcome is unknown",
}
_REASONS_BY_CLASS: Final[Mapping[int, str]] = {
    3: "redirects elsewhere ({status}): write its final address into the url of its entry",
    5: "failed to handle the request ({status})",
}
_OTHER_REASON: Final = "refuses the request ({status})"
_LONGEST_HINT: Final = 40
_LONGEST_QUOTE: Final = 200


class Refused(UpstreamError):
    """The server answered with an HTTP error: its `status`, and when it wants to be asked again, if it says so."""

    def __init__(self, message: str, *, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.retryable = status in _RETRYABLE
        self.outcome_unknown = status in _BROKEN_OFF


class SessionLost(Gone):
    """The server no longer knows our session, or our revision: the pipe is of no further use, a new one may be."""


class Asked(msgspec.Struct, frozen=True):
    """Whom we asked: the server's name, its address as it may be shown, and the names of the headers from its entry."""

    server: str
    address: str
    header_names: tuple[str, ...]


def other_era(asked: Asked) -> SessionLost:
    """The error of a request that a server refused unread, for it has come to speak the other era."""
    return SessionLost(
        f"server {asked.server!r} ({asked.address}) no longer speaks the revision of the protocol that it did; the next "
        "call asks it anew"
    )


def refusal(
    asked: Asked, status: int, headers: Mapping[str, str], *, said: str = "", in_session: bool
) -> Refused | SessionLost:
    """The error of a status outside 2xx.

    Args:
        asked: Whom the request went to.
        status: Of the answer.
        headers: Of the answer.
        said: The message of the JSON-RPC error in its body, or "".
        in_session: Whether the request named a session.
    """
    who = f"server {asked.server!r} ({asked.address})"
    if in_session and _says_session_is_gone(status, said):
        return SessionLost(f"{who} has ended the session ({status}); the next call opens a new one")
    quoted = f"; it says: {' '.join(said.split())[:_LONGEST_QUOTE]}" if said else ""
    text = f"{who} {_reason(asked, status, headers)}{quoted}"
    return Refused(text, status=status, retry_after_s=retry_after_s(headers))


def _says_session_is_gone(status: int, said: str) -> bool:
    """404, or the 400 of the many servers that were made after the TypeScript SDK's example."""
    lost = status == HTTPStatus.BAD_REQUEST and "session" in said.lower()
    return lost or status == HTTPStatus.NOT_FOUND


def _reason(asked: Asked, status: int, headers: Mapping[str, str]) -> str:
    template = _REASONS.get(status) or _REASONS_BY_CLASS.get(status // 100, _OTHER_REASON)
    return template.format(
        status=_status_text(status), credentials=_credentials_hint(asked), later=_later(headers)
    )


def _credentials_hint(asked: Asked) -> str:
    """Where the credentials come from: the entry's headers, or nowhere."""
    if not asked.header_names:
        return "its entry sends no headers; add one with a secret"
    return f"check the secrets in the header {' and '.join(asked.header_names)} of its entry"


def _later(headers: Mapping[str, str]) -> str:
    """When to try again, as the server says in `Retry-After` (seconds or a date; RFC 9110 §10.2.3)."""
    hint = headers.get("retry-after", "").strip()
    if hint.isascii() and hint.isdigit():
        return f"in {int(hint[:_LONGEST_HINT])} s"
    return f"after {hint}" if hint.isprintable() and 0 < len(hint) <= _LONGEST_HINT else "later"


def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
