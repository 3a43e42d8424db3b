"""Catalogs from https URLs: fetched with bounds, kept in the home, and read from there when the network is away.

The one module of `gateway.catalog` that knows the network. It must not know what a catalog is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from gateway.errors import CatalogError
from gateway.home import write_atomic
from gateway.limits import MAX_DOCUMENT_BYTES, URL_FRESH_S, URL_TIMEOUT_S

_REDIRECTS: Final = 5
_REDIRECT_STATUS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_PRIVATE: Final = 0o600
_FORMAT: Final = 1  # count up when a kept copy changes its meaning


class Answer(msgspec.Struct, frozen=True):
    """One answer of a web server. `location` is set on a redirect, `content` only with status 200."""

    status: int
    content: bytes = b""
    etag: str = ""
    location: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A fetched file as the home keeps it. `fetched_at` is in seconds since the epoch; `format` is absent in early ones."""

    content: bytes
    etag: str
    fetched_at: float
    format: int = _FORMAT


class _Versioned(msgspec.Struct):
    """The part that all formats share."""

    format: int = _FORMAT


class Fetched(msgspec.Struct, frozen=True):
    """A file from the network; `note` says where it is an older copy."""

    content: bytes
    note: str = ""


Ask = Callable[[str, Mapping[str, str]], Answer]
"""Sends one GET. Raises `CatalogError` where no whole answer came in time."""


def shown_url(url: str) -> str:
    """The URL without what may be secret in it: user, password, query, fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def fetch(url: str, folder: Path, *, ask: Ask | None = None) -> Fetched:
    """The file at an https URL.

    Args:
        url: the address.
        folder: where copies are kept.
        ask: sends a request; httpx where none is given.

    Raises:
        CatalogError: it is no https URL, or it cannot be fetched and no copy is kept.
    """
    _check(url)
    path = folder / f"{hashlib.blake2b(url.encode(), digest_size=16).hexdigest()}.url"
    kept = _kept(path)
    if kept and 0 <= time.time() - kept.fetched_at < URL_FRESH_S:
        return Fetched(kept.content)
    try:
        answer = _follow(url, kept.etag if kept else "", ask or _ask)
    except CatalogError as error:
        if kept is None:
            raise
        return Fetched(kept.content, f"{error}; the copy of {_day(kept.fetched_at)} is used")
    if answer.status == _NOT_MODIFIED and kept:
        answer = Answer(_OK, kept.content, kept.etag)
    with suppress(OSError):  # without a copy, the next start fetches anew
        fresh = Kept(answer.content, answer.etag, time.time())
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, msgspec.msgpack.encode(fresh), mode=_PRIVATE)
    return Fetched(answer.content)


def _day(at: float) -> str:
    """A moment for people; a clock that was wrong then, or is now, must not cost the copy."""
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return "an unknown day"


def _check(url: str) -> None:
    if not url.startswith("https://") or not urlsplit(url).hostname:
        raise CatalogError(f"{shown_url(url)}: catalogs are fetched over https only")


def _kept(path: Path) -> Kept | None:
    """The kept copy; None where there is none, or only one that a newer mcpgw understands."""
    with suppress(OSError, msgspec.MsgspecError, ValueError):
        content = path.read_bytes()
        if msgspec.msgpack.decode(content, type=_Versioned).format <= _FORMAT:
            return msgspec.msgpack.decode(content, type=Kept)
    return None


def _follow(url: str, etag: str, ask: Ask) -> Answer:
    """Follows redirects, from https to https; anything but a file or "not modified" is an error."""
    place = url
    for _ in range(_REDIRECTS):
        _check(place)
        answer = ask(place, {"If-None-Match": etag} if etag else {})
        if answer.status in _REDIRECT_STATUS:
            place = urljoin(place, answer.location)
            continue
        if answer.status == _OK or (answer.status == _NOT_MODIFIED and etag):
            return answer
        raise CatalogError(f"{shown_url(place)}: answered with HTTP status {answer.status}")
    raise CatalogError(f"{shown_url(url)}: redirects more than {_REDIRECTS} times")


def _ask(url: str, headers: Mapping[str, str]) -> Answer:
    """One GET with httpx; environment proxies are honoured."""
    import httpx  # noqa: PLC0415 - lazy: 150 ms that only catalogs from URLs need

    deadline = time.monotonic() + URL_TIMEOUT_S
    chunks: list[bytes] = []
    try:
        with httpx.stream("GET", url, headers=dict(headers), timeout=URL_TIMEOUT_S) as response:
            length = 0
            for chunk in response.iter_bytes() if response.status_code == _OK else ():
                chunks.append(chunk)
                length += len(chunk)
                if length > MAX_DOCUMENT_BYTES:
                    raise CatalogError(
                        f"{shown_url(url)}: is longer than {MAX_DOCUMENT_BYTES} bytes"
                    )
                if time.monotonic() > deadline:
                    raise CatalogError(
                        f"{shown_url(url)}: did not arrive within {URL_TIMEOUT_S:g} s"
                    )
            return Answer(
                response.status_code,
                b"".join(chunks),
                response.headers.get("etag", ""),
                response.headers.get("location", ""),
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Of the network's own errors only: others may quote the URL with what is secret in it.
        told = str(error) if isinstance(error, httpx.NetworkError) else ""
        raise CatalogError(
            f"{shown_url(url)}: cannot be fetched: {told or type(error).__name__}"
        ) from error
