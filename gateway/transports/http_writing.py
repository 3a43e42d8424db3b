"""Answers as bytes of HTTP/1.1. Pure but for the clock; must not know sockets.

Source: RFC 9112 §4, §6 and §7.1; RFC 9110 §6.6.1 (Date).
"""

from __future__ import annotations

import time
from typing import Final

from gateway.transports.http import CLOSE, EVENT_HEADERS, JSON, Headers, Reply

CONTINUE: Final = b"HTTP/1.1 100 \r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_OK: Final = 200
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


def reply_bytes(reply: Reply, extra: Headers = (), *, close: bool = False) -> bytes:
    """A whole answer; `extra` headers come last. `close` says that the connection ends with it."""
    if reply.status == _OK and reply.content_type == JSON and not (extra or close or reply.headers):
        return (
            b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b"
            % (
                len(reply.body),
                _date_line(),
                reply.body,
            )
        )
    fields = reply.fields(extra)
    if close and CLOSE[0] not in fields:
        fields += CLOSE
    return _head(reply.status, fields) + reply.body


def stream_head(headers: Headers) -> bytes:
    """The beginning of an event stream in chunks."""
    return _head(200, [*EVENT_HEADERS, *headers, (b"transfer-encoding", b"chunked")])


def chunk(content: bytes) -> bytes:
    """One chunk; `content` is not empty."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def _head(status: int, fields: list[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%b: %b\r\n" % field for field in fields]
    return b"HTTP/1.1 %d \r\n%b%b\r\n" % (status, b"".join(lines), _date_line())


class _Date:
    """The header's line for the second that was asked for last."""

    second = 0
    line = b""


def _date_line() -> bytes:
    """The Date header, made once a second."""
    now = int(time.time())
    if now != _Date.second:
        at = time.gmtime(now)
        day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
        text = (
            f"date: {day}, {at.tm_mday:02} {month} {at.tm_year} {time.strftime('%H:%M:%S', at)} GMT"
        )
        _Date.second, _Date.line = now, f"{text}\r\n".encode()
    return _Date.line
