"""Reading and rewriting single fields of params. All other fields stay as they came, in their order.

Must not know any one method. Params are a map of `Raw`: Structs would drop fields that they do not name. Where a key
came twice, the last one counts and alone travels on: what was judged is what is forwarded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from gateway.errors import InvalidParams
from gateway.jsonrpc.messages import Id
from gateway.limits import MAX_WIDE_BYTES
from gateway.telemetry.refusals import refused

Fields = dict[str, msgspec.Raw]
"""The fields of a JSON object, in their order, each as its JSON text."""

T = TypeVar("T")

_META = "_meta"
_TOKEN = "progressToken"  # noqa: S105 -- a field's name, no secret

_KNOWN: Final = (
    *(
        "_meta",
        "arguments",
        "capabilities",
        "clientInfo",
        "cursor",
        "data",
        "level",
        "logger",
        "name",
    ),
    *(
        "argument",
        "context",
        "message",
        "progress",
        "progressToken",
        "protocolVersion",
        "reason",
        "ref",
    ),
    *("requestId", "task", "taskId", "total", "uri"),
    *("inputResponses", "notifications", "requestState"),
)
"""The fields of the params of all methods, in all revisions."""
_Known = msgspec.defstruct(
    "_Known",
    [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in _KNOWN],
    forbid_unknown_fields=True,
)

_decode_known = msgspec.json.Decoder(_Known)
_decode_fields = msgspec.json.Decoder(Fields)
_decode_text = msgspec.json.Decoder(str)
_decode_id: msgspec.json.Decoder[Id] = msgspec.json.Decoder(Id)
_encode = msgspec.json.Encoder().encode


def fields(params: msgspec.Raw | None) -> Fields:
    """The fields of params; none where there are no params.

    Raises:
        InvalidParams: params are not an object.
    """
    if params is None:
        return {}
    if len(memoryview(params)) > MAX_WIDE_BYTES:
        # Stops at the first other field, before it has made millions of them.
        expected = f"an object of known fields, or {MAX_WIDE_BYTES} bytes"
        try:
            _read(_decode_known, params, "params", expected)
        except InvalidParams:
            refused("inside.MAX_WIDE_BYTES")
            raise
    return _read(_decode_fields, params, "params", "an object")


def pack(members: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    """The JSON object of these fields."""
    return msgspec.Raw(_encode(members))


def text(members: Mapping[str, msgspec.Raw], key: str) -> str:
    """The string in that field.

    Raises:
        InvalidParams: the field is missing or no string.
    """
    return _read(_decode_text, _required(members, key), f"params.{key}", "a string")


def with_text(members: Mapping[str, msgspec.Raw], key: str, value: str) -> Fields:
    """The same fields with that one set; it keeps its place."""
    return {**members, key: msgspec.Raw(_encode(value))}


def request_id(members: Mapping[str, msgspec.Raw]) -> Id:
    """The id that `notifications/cancelled` names.

    Raises:
        InvalidParams: the field is missing or no id.
    """
    raw = _required(members, "requestId")
    return _read(_decode_id, raw, "params.requestId", "a string or a number")


def progress_token(members: Mapping[str, msgspec.Raw]) -> Id | None:
    """The token under which the sender of a request wants progress; None where it wants none.

    Raises:
        InvalidParams: `_meta` is no object, or the token neither a string nor a number.
    """
    meta = _meta(members)
    if _TOKEN not in meta:
        return None
    return _read(_decode_id, meta[_TOKEN], f"params.{_META}.{_TOKEN}", "a string or a number")


def reported_token(members: Mapping[str, msgspec.Raw]) -> Id:
    """The token that `notifications/progress` names.

    Raises:
        InvalidParams: the field is missing, or neither a string nor a number.
    """
    raw = _required(members, _TOKEN)
    return _read(_decode_id, raw, f"params.{_TOKEN}", "a string or a number")


def with_progress_token(members: Mapping[str, msgspec.Raw], token: Id | None) -> Fields:
    """The same fields with that token in `_meta`, or without one where it is None; `_meta` keeps all else.

    Raises:
        InvalidParams: `_meta` is no object.
    """
    meta = _meta(members)
    if token is not None:
        meta[_TOKEN] = msgspec.Raw(_encode(token))
    elif meta.pop(_TOKEN, None) is None:
        return dict(members)
    return {**members, _META: pack(meta)}


def _meta(members: Mapping[str, msgspec.Raw]) -> Fields:
    if _META not in members:
        return {}
    if len(memoryview(members[_META])) > MAX_WIDE_BYTES:
        refused("inside.MAX_WIDE_BYTES")
        raise InvalidParams(f"params.{_META} is longer than {MAX_WIDE_BYTES} bytes.")
    return _read(_decode_fields, members[_META], f"params.{_META}", "an object")


def _required(members: Mapping[str, msgspec.Raw], key: str) -> msgspec.Raw:
    try:
        return members[key]
    except KeyError:
        raise InvalidParams(f"params.{key} is missing.") from None


def _read(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, what: str, expected: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParams(f"{what} must be {expected}.") from error
