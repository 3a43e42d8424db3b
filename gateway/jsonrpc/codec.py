"""Bytes to messages and back: one frame is one message. Must not know MCP, nor where a frame comes from.

Only the envelope is decoded; `params`, `result` and `error.data` stay `Raw`. msgspec checks what it skips (syntax,
nesting, escapes, surrogate pairs) except UTF-8, which is checked here once per frame.

Source: JSON-RPC 2.0 §4, §5; MCP 2025-11-25, base protocol, "Messages", and transports, "stdio" (no embedded newline).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, NoReturn

import msgspec

from gateway.errors import GatewayError, Malformed, TooDeep
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request, Result
from gateway.limits import MAX_REPAIRED_BYTES, MAX_REPAIRS

PARSE_ERROR: Final = -32700
"""Not JSON (JSON-RPC 2.0 §5.1)."""
INVALID_REQUEST: Final = -32600
"""JSON, but not a JSON-RPC message (JSON-RPC 2.0 §5.1)."""
INTERNAL_ERROR: Final = -32603
"""Stands in for the code of an error answer that has none."""


class _Envelope(msgspec.Struct, gc=False):
    """All that a message of any kind may carry. Unset is not null: both occur, and mean different things."""

    jsonrpc: Literal["2.0"]
    id: Id | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _ErrorBody(msgspec.Struct, gc=False, omit_defaults=True):
    """The `error` member of an error answer, read and written."""

    code: int
    message: str
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _FailureFrame(msgspec.Struct, gc=False, tag_field="jsonrpc", tag="2.0"):
    """An error answer as it is written."""

    id: Id | None
    error: _ErrorBody


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_error = msgspec.json.Decoder(_ErrorBody).decode
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_id: Callable[[msgspec.Raw], Id] = msgspec.json.Decoder(Id).decode
_encode = msgspec.json.Encoder().encode

_OBJECT: Final = ord("{")
_ARRAY: Final = ord("[")
_NULL: Final = ord("n")
_LINE_BREAKS_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")

_SURROGATE: Final = re.compile(
    # An even run of backslashes escapes itself, so the next one starts an escape. Taken as a whole (`*+`): there may be
    # millions of them, and each that could be given back would be remembered.
    rb"(?<!\\)((?:\\\\)*+)"
    rb"\\u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    rb"|([dD][89a-fA-F][0-9a-fA-F]{2}))"  # or one without partner
)


def decode(frame: bytes | bytearray | memoryview) -> Message:
    """Reads one message.

    The payloads of the message are views into `frame`, or into a copy where `frame` is not `bytes`. `params: null` is
    taken as absent; an error answer whose error object is broken becomes a `Failure` all the same, for a caller waits.

    Raises:
        Malformed: not JSON (-32700), or not a JSON-RPC message (-32600).
    """
    whole = frame if isinstance(frame, bytes) else bytes(frame)
    try:
        if not whole.isascii():
            str(whole, "utf-8")
        envelope = _decode_envelope(whole)
    except msgspec.ValidationError as error:
        _refuse(whole, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from error
    if envelope.method is not msgspec.UNSET:
        return _call(envelope, envelope.method)
    return _answer(envelope)


def raw(value: object) -> msgspec.Raw:
    """A value of ours as JSON text, ready to be part of a message."""
    return msgspec.Raw(_encode(value))


def encode(message: Message) -> bytes:
    """The message as one line: no CR or LF in it, and none at its end."""
    if isinstance(message, Failure):
        data = msgspec.UNSET if message.data is None else message.data
        body = _ErrorBody(message.code, message.message, data)
        frame = _encode(_FailureFrame(message.id, body))
    else:
        frame = _encode(message)
    return one_line(frame) if b"\n" in frame or b"\r" in frame else frame


def one_line(json: bytes) -> bytes:
    """The same JSON text without CR or LF.

    JSON allows them only between tokens, never inside strings, so that blanks can stand in for them: cheaper than
    parsing it again, without a limit of depth, and one line whatever it is given.
    """
    if b"\n" in json or b"\r" in json:
        return json.translate(_LINE_BREAKS_TO_SPACES)
    return json


def failure(error: GatewayError, request_id: Id | None = None) -> Failure:
    """The error answer that tells a client of `error`; a `Malformed` brings its own id where none is given."""
    if request_id is None and isinstance(error, Malformed):
        request_id = error.request_id
    data = None if error.data is None else msgspec.Raw(_encode(error.data))
    return Failure(request_id, error.code, str(error), data)


def repair_surrogates(frame: bytes) -> bytes:
    r"""The frame with each surrogate escape that has no partner replaced by `\ufffd`.

    JavaScript servers cut strings in the middle of an emoji; strict JSON readers, ours too, refuse such a frame. Frames
    that would take too long are left as they are, and refused.
    """
    found = frame.count(b"\\ud") + frame.count(b"\\uD")
    if not 0 < found <= MAX_REPAIRS or len(frame) > MAX_REPAIRED_BYTES:
        return frame
    return _SURROGATE.sub(_replace_lone, frame)


def _replace_lone(match: re.Match[bytes]) -> bytes:
    return match[0] if match[2] is None else match[1] + rb"\ufffd"


def _call(envelope: _Envelope, method: str) -> Request | Notification:
    """The request or notification that an envelope with a method is."""
    if envelope.result is not msgspec.UNSET or envelope.error is not msgspec.UNSET:
        raise _invalid(envelope, "a message has either a method or a result or error, not both")
    params = None
    if envelope.params is not msgspec.UNSET:
        first = memoryview(envelope.params)[0]
        if first in (_OBJECT, _ARRAY):
            params = envelope.params
        elif first != _NULL:
            raise _invalid(envelope, '"params" must be an object')
    if envelope.id is msgspec.UNSET:
        return Notification(method, params)
    if envelope.id is None:
        raise _invalid(envelope, '"id" must be a string or a number')
    return Request(envelope.id, method, params)


def _answer(envelope: _Envelope) -> Result | Failure:
    """The answer that an envelope without a method is."""
    result = None if envelope.result is msgspec.UNSET else envelope.result
    error = None if envelope.error is msgspec.UNSET else envelope.error
    if result is not None and error is not None:
        # Some servers write both members, and null into the one that does not apply.
        result, error = _unless_null(result), _unless_null(error)
    request_id = None if envelope.id is msgspec.UNSET else envelope.id
    if error is not None and result is None:
        return _read_failure(request_id, error)
    if result is None or error is not None:
        raise _invalid(envelope, 'it needs either a "method", a "result" or an "error"')
    if request_id is None:
        raise _invalid(envelope, 'a result needs the "id" of its request')
    return Result(request_id, result)


def _read_failure(request_id: Id | None, error: msgspec.Raw) -> Failure:
    try:
        body = _decode_error(error)
    except msgspec.ValidationError:
        return Failure(
            request_id, INTERNAL_ERROR, "The error answer has no valid code and message.", error
        )
    data = None if body.data is msgspec.UNSET else body.data
    return Failure(request_id, body.code, body.message, data)


def _unless_null(value: msgspec.Raw) -> msgspec.Raw | None:
    return None if memoryview(value)[0] == _NULL else value


def _invalid(envelope: _Envelope, reason: str) -> Malformed:
    request_id = None if envelope.id is msgspec.UNSET else envelope.id
    return _not_a_message(reason, request_id)


def _not_a_message(reason: str, request_id: Id | None) -> Malformed:
    message = f"Not a JSON-RPC message: {reason}."
    return Malformed(message, code=INVALID_REQUEST, request_id=request_id)


def _not_json(error: Exception) -> Malformed:
    match error:
        case RecursionError():
            text = "The message cannot be read as JSON: it is nested too deeply."
            return TooDeep(text, code=PARSE_ERROR)
        case UnicodeDecodeError():
            reason = "it is not UTF-8"
        case _:
            # msgspec names a position and what it expected there, never the text itself.
            reason = str(error).removeprefix("JSON is malformed: ")
    return Malformed(f"The message cannot be read as JSON: {reason}.", code=PARSE_ERROR)


def _refuse(frame: bytes, error: msgspec.ValidationError) -> NoReturn:
    """Says why the frame, which is no envelope, is none; msgspec stopped at the first fault it met."""
    try:
        whole = memoryview(_decode_raw(frame))
    except (msgspec.DecodeError, RecursionError) as unreadable:
        raise _not_json(unreadable) from unreadable
    if whole[0] != _OBJECT:
        is_batch = whole[0] == _ARRAY
        reason = "batches are not supported" if is_batch else "it must be a JSON object"
        raise _not_a_message(reason, None) from error
    members = _decode_members(whole)
    request_id = _readable_id(members)
    if "jsonrpc" not in members or bytes(members["jsonrpc"]) != b'"2.0"':
        reason = '"jsonrpc" must be "2.0"'
    elif "id" in members and request_id is None:
        reason = '"id" must be a string or a number'
    else:
        reason = '"method" must be a string'
    raise _not_a_message(reason, request_id) from error


def _readable_id(members: dict[str, msgspec.Raw]) -> Id | None:
    try:
        return _decode_id(members["id"])
    except (KeyError, msgspec.ValidationError):
        return None
