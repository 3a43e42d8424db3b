"""Headers of the modern era: any value is read in one way or refused; what a client makes of a call, a server accepts."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.errors import HeaderMismatch, ProtocolFault
from gateway.jsonrpc.messages import Request
from gateway.mcp import headers, meta, params
from gateway.mcp.param_headers import PREFIX, param_headers

Raw = msgspec.Raw

_VERSION: Final = "2026-07-28"
_SCHEMA: Final = Raw(
    b'{"properties":{"s":{"type":"string","x-mcp-header":"S"},"i":{"type":"integer","x-mcp-header":"I"},'
    b'"b":{"type":"boolean","x-mcp-header":"B"},"o":{"properties":{"s":{"type":"string","x-mcp-header":"O-S"}}}}}'
)
_MIRRORED: Final = param_headers(_SCHEMA)
_META: Final = Raw(msgspec.json.encode({meta.VERSION: _VERSION, meta.CAPABILITIES: {}}))


def check(data: bytes) -> None:
    """As a value, as a schema, and as the arguments of a call."""
    _check_value(data.decode("latin-1"))
    _check_value(data.decode(errors="replace"))
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    _check_schema(Raw(data))
    _check_call(Raw(data))


def _check_value(value: str) -> None:
    written = headers.encode_value(value)
    assert all(" " <= mark <= "~" for mark in written)
    assert headers.decode_value(written) == value
    try:
        text = headers.decode_value(value)
    except HeaderMismatch:
        return
    assert headers.decode_value(headers.encode_value(text)) == text


def _check_schema(schema: msgspec.Raw) -> None:
    try:
        found = param_headers(schema)
    except ProtocolFault as reason:
        assert str(reason).endswith(".")
        return
    assert len({header.name.lower() for header in found}) == len(found)
    assert all(header.name.startswith(PREFIX) and header.path for header in found)


def _check_call(arguments: msgspec.Raw) -> None:
    members = {"name": Raw(b'"t"'), "arguments": arguments, "_meta": _META}
    request = Request(1, "tools/call", params.pack(members))
    fields = params.fields(request.params)
    sent = headers.make("tools/call", fields, version=_VERSION, mirrored=_MIRRORED)
    seen = {name.lower(): value for name, value in sent.items()}
    headers.check(seen, request, _SCHEMA)
    for name, value in seen.items():
        try:
            headers.check({**seen, name: value + "x"}, request, _SCHEMA)
        except HeaderMismatch:
            continue
        raise AssertionError(name)
