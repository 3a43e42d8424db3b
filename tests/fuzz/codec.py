"""One frame: a message that survives being written, or an error of JSON-RPC."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.errors import Malformed
from gateway.jsonrpc.codec import (
    INVALID_REQUEST,
    PARSE_ERROR,
    decode,
    encode,
    failure,
    one_line,
    repair_surrogates,
)
from gateway.jsonrpc.messages import Failure, Message, Notification, Request

_CODES: Final = {PARSE_ERROR, INVALID_REQUEST}


def check(data: bytes) -> None:
    """Reads it, as it is and mended."""
    _read(data)
    mended = repair_surrogates(data)
    assert repair_surrogates(mended) == mended
    if mended != data:
        _read(mended)


def _read(data: bytes) -> None:
    try:
        message = decode(data)
    except Malformed as error:
        assert error.code in _CODES
        told = failure(error)
        assert decode(encode(told)) == told
        return
    frame = encode(message)
    assert b"\n" not in frame
    assert b"\r" not in frame
    again = decode(frame)
    assert _plain(again) == _plain(message)
    assert encode(again) == frame


def _plain(message: Message) -> tuple[object, ...]:
    """What can be compared: payloads as one line."""
    match message:
        case Request():
            return "request", message.id, message.method, _line(message.params)
        case Notification():
            return "notification", message.method, _line(message.params)
        case Failure():
            return "failure", message.id, message.code, message.message, _line(message.data)
        case _:
            return "result", message.id, _line(message.result)


def _line(payload: msgspec.Raw | None) -> bytes | None:
    return None if payload is None else one_line(bytes(payload))
