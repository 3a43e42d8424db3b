"""The strict reading of a request's head, before any parser sees it. Pure; must not know sockets, MCP or paths.

Parsers differ in what they forgive (bare line feeds, folded lines, doubled lengths, a second Host), and where a proxy
in front forgives something else than we do, one client's bytes become another's request. So what is not plain is
refused: CRLF only, no folding, token names, no control characters, at most one Host, one length or chunks and not both.
A target in absolute form is taken apart here, so that nobody behind has to know of it.

Source: RFC 9112 §2.2, §3, §5, §6.3 and §11.2 (request smuggling); RFC 9110 §5.1 and §5.5.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway import limits
from gateway.telemetry.refusals import refused
from gateway.transports.http import CLOSE, Refused

HEAD_END: Final = b"\r\n\r\n"
FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):([\t\x20-\x7e\x80-\xff]*+)\r\n")
"""One header line. Its value may have white space around it."""
ONCE: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""Headers that decide where a request ends and whom it is for: two of a kind are an attack, also where they agree."""

_REQUEST_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/1\.([01])\r\n"
)
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[\t ]*+([0-9]++)", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(
    rb"(https?)://([0-9A-Za-z\-._~%!$&'()*+,;=:\[\]]+)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE
)
_WEB: Final = (b"http:", b"https:")
_TOKEN: Final = frozenset(
    b"!#$%&'*+-.^_`|~0123456789" + bytes(range(65, 91)) + bytes(range(97, 123))
)
_FIELD_EXTRA: Final = len(b":\r\n")
_MAX_LENGTH_DIGITS: Final = 15
"""Digits of a Content-Length: a petabyte is refused for its size, and more digits are refused for what they are."""


class CheckedHead(msgspec.Struct, frozen=True):
    """A head that is plain.

    `raw`: its bytes as they came, the empty line included. `headers`: by lower-case name; repeated ones joined; the
    Content-Length is not among them. `body_bytes`: the length of the body, None where it comes in chunks.
    `around_length`: what stands before and after the digits of the Content-Length, None where it has none.
    `rewritten`: its bytes with a target that names no host, None where it came with such a one.
    """

    raw: bytes
    method: bytes
    target: bytes
    minor: int
    headers: dict[bytes, bytes]
    body_bytes: int | None
    around_length: tuple[bytes, bytes] | None = None
    rewritten: bytes | None = None

    @property
    def plain(self) -> bytes:
        """Its bytes for a parser that knows paths only as targets."""
        return self.raw if self.rewritten is None else self.rewritten

    def with_length_of(self, raw: bytes) -> CheckedHead | None:
        """The head in `raw`, where it is this one but for the digits of the Content-Length; None where it may not be.

        On a connection that is kept most requests differ in nothing else. The headers stay the same object, so that
        whatever was made of them is known to hold.
        """
        if self.around_length is None or len(raw) > limits.HEAD_BYTES:
            return None
        before, after = self.around_length
        if not (raw.startswith(before) and raw.endswith(after)):
            return None
        digits = raw[len(before) : len(raw) - len(after)]
        if not digits.isdigit() or len(digits) > _MAX_LENGTH_DIGITS:
            return None
        return CheckedHead(
            raw,
            self.method,
            self.target,
            self.minor,
            self.headers,
            int(digits),
            self.around_length,
        )


def check_head(raw: bytes, *, secure: bool = False) -> CheckedHead:
    """Reads a head, up to and with its empty line; `secure`: whether it came over TLS.

    Raises:
        Refused: 400 where it is not plain, 421 where it asks for more secrecy than there is, 431 where it is too long.
    """
    check_size(raw)
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise _bad("the request line is not METHOD TARGET HTTP/1.1")
    minor = int(line[3])
    headers = _headers(raw, line.end())
    if minor and b"host" not in headers:
        raise _bad("the Host header is missing")
    target, rewritten = line[2], None
    if target.lower().startswith(_WEB):
        host, target = _parted(target, secure=secure)
        rewritten = b"%b %b HTTP/1.%d\r\n" % (line[1], target, minor)
        if b"host" not in headers:
            rewritten += b"Host: %b\r\n" % host
        # RFC 9112 §3.2.2 has the header ignored; a proxy in front may not know that.
        if headers.setdefault(b"host", host).lower() != host.lower():
            raise _bad("the target and the Host header name two hosts")
        rewritten += raw[line.end() :]
    body_bytes = _body_bytes(headers, minor)
    headers.pop(b"content-length", None)
    digits = _LENGTH.search(raw) if rewritten is None else None
    around_length = (raw[: digits.start(1)], raw[digits.end(1) :]) if digits else None
    return CheckedHead(raw, line[1], target, minor, headers, body_bytes, around_length, rewritten)


def check_beginning(begun: bytes) -> None:
    """Looks at a head whose end has not come yet.

    Raises:
        Refused: it will not become one, or is too long already.
    """
    check_size(begun)
    if begun and begun[0] not in _TOKEN:
        raise _bad("this is no HTTP request")
    if begun.count(b"\n") != begun.count(b"\r\n"):
        raise _bad("lines end with CR LF")


def check_size(head: bytes) -> None:
    """Bounds a head, or what has come of it.

    Raises:
        Refused: 431.
    """
    if len(head) > limits.HEAD_BYTES:
        refused("from_clients.HEAD_BYTES")
        raise Refused(
            f"the request's head is longer than {limits.HEAD_BYTES} bytes",
            status=431,
            headers=CLOSE,
        )


def _headers(raw: bytes, start: int) -> dict[bytes, bytes]:
    found = FIELD.findall(raw, start)
    headers: dict[bytes, bytes] = {}
    size = start + len(HEAD_END) // 2
    for shown, padded in found:
        size += len(shown) + len(padded) + _FIELD_EXTRA
        name, value = shown.lower(), padded.strip(b" \t")
        if name not in headers:
            headers[name] = value
        elif name in ONCE:
            raise _bad(f"there are two {name.decode()} headers")
        else:
            headers[name] += b", " + value
    # Matches do not overlap: where their lengths add up to the whole, nothing lies between them.
    if size != len(raw):
        raise _bad("a header line is malformed")
    if len(found) > limits.HEAD_FIELDS:
        refused("from_clients.HEAD_FIELDS")
        raise Refused(
            f"the request has more than {limits.HEAD_FIELDS} headers", status=431, headers=CLOSE
        )
    return headers


def _parted(target: bytes, *, secure: bool) -> tuple[bytes, bytes]:
    """The host of a target in absolute form, with its port, and the rest of it.

    Raises:
        Refused: it names none, or more than that; or it is to be asked for over TLS only.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        raise _bad("a target in absolute form is http://HOST/PATH")
    if not secure and found[1].lower() == b"https":
        # RFC 9110 §7.4: who believes to have asked in secret must not be answered like this.
        raise Refused(
            "the target begins with https, but the request did not come over TLS",
            status=421,
            headers=CLOSE,
        )
    return found[2], (found[3] or b"/") + (found[4] or b"")


def _body_bytes(headers: dict[bytes, bytes], minor: int) -> int | None:
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise _bad("a body has either a Content-Length or a Transfer-Encoding")
        if coding.lower() != b"chunked" or not minor:
            raise _bad("the one Transfer-Encoding is chunked, of HTTP/1.1")
        return None
    if length is None:
        return 0
    if not length.isdigit() or len(length) > _MAX_LENGTH_DIGITS:
        raise _bad("the Content-Length is no number of bytes")
    return int(length)


def _bad(reason: str) -> Refused:
    return Refused(f"this is no plain HTTP: {reason}", status=400, headers=CLOSE)
