"""An event stream: cut anywhere it gives what the standard says; whatever is sent arrives as one event."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.errors import Malformed
from gateway.jsonrpc.sse import EventSplitter, ServerSentEvent, encode_event
from tests.fuzz.cutting import cut

_SMALL: Final = 20
_LARGE: Final = 1 << 20
_MAX_RETRY_DIGITS: Final = 9


def check(data: bytes) -> None:
    """Reads it whole and in pieces, with and without room for it, and sends it."""
    pieces, whole = cut(data)
    assert _read(pieces, _LARGE) == list(_events(whole))
    assert _read(pieces, _SMALL) == _read([whole], _SMALL)
    sent = encode_event(whole, id="7")
    normal = re.sub(rb"\r\n|\r", b"\n", whole)
    assert _read([sent[:7], sent[7:]], _LARGE) == [ServerSentEvent("message", normal, "7")]


def _read(pieces: Iterable[bytes], max_bytes: int) -> list[ServerSentEvent | str]:
    splitter = EventSplitter(max_bytes)
    found = [item for piece in pieces for item in splitter.feed(piece)]
    return [str(item) if isinstance(item, Malformed) else item for item in found]


def _events(stream: bytes) -> Iterator[ServerSentEvent]:
    """The algorithm of the standard (WHATWG HTML §9.2.6), as simple as it goes."""
    *lines, _ = re.split(rb"\r\n|\r|\n", stream)
    if lines:
        lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
    event, taken, last_id, retry = b"", list[bytes](), b"", None
    for line in lines:
        if not line:
            if taken:
                name = event.decode(errors="replace") or "message"
                text = b"\n".join(taken)
                yield ServerSentEvent(name, text, last_id.decode(errors="replace"), retry)
            event, taken, retry = b"", [], None
            continue
        name_part, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name_part == b"data":
            taken.append(value)
        elif name_part == b"event":
            event = value
        elif name_part == b"id" and b"\0" not in value:
            last_id = value
        elif name_part == b"retry" and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            retry = int(value)
