"""HTTP headers of the modern era: made from a request as a client, checked against it as a server. Must not know HTTP.

The body is the truth. Headers repeat some of it for proxies, which route by them: a request in which the two disagree
would be routed as one thing and served as another, and is refused.

Source: MCP 2026-07-28, transports, "Streamable HTTP", "Request Metadata"; SEP-2663, "Routing Headers".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from gateway.errors import HeaderMismatch, InvalidParams, ProtocolFault
from gateway.jsonrpc.messages import Request
from gateway.mcp import meta, params
from gateway.mcp.param_headers import ParamHeader, Path, param_headers
from gateway.mcp.params import Fields

VERSION: Final = "MCP-Protocol-Version"
METHOD: Final = "Mcp-Method"
NAME: Final = "Mcp-Name"

NAMED_BY: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Methods with `Mcp-Name`, and the member of their params that it repeats."""

_BASE64: Final = re.compile(r"=\?base64\?(.*)\?=")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")
_FIELD_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_DECIMAL: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_NUMERAL: Final = tuple(b"%c" % mark for mark in b"-0123456789")
_OWS: Final = " \t"
_SAFE_INTEGER: Final = 2**53 - 1
"""What JavaScript counts exactly."""
_SHOWN_CHARS: Final = 80
"""Of a header's value in an error."""

_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_text = msgspec.json.Decoder(str).decode


def make(
    method: str,
    members: Mapping[str, msgspec.Raw],
    *,
    version: str,
    mirrored: Sequence[ParamHeader] = (),
) -> dict[str, str]:
    """The headers of a request to a modern server.

    Args:
        method: one that the protocol has; others need not fit into a header.
        members: the params as they are sent, names already those of the server.
        version: the revision that `_meta` names.
        mirrored: what `param_headers` found in the called tool's schema.
    """
    headers = {VERSION: version, METHOD: method}
    name = _name(method, members)
    if name is not None:
        headers[NAME] = encode_value(name)
    for header in mirrored:
        value = _argument(members, header.path)
        if value is not None:
            headers[header.name] = encode_value(_rendered(value))
    return headers


def check(
    headers: Mapping[str, str], request: Request, input_schema: msgspec.Raw | None = None
) -> None:
    """Checks all headers of a modern request; those of arguments only where the called tool's schema is given.

    Args:
        headers: values by lower-case name; those of a repeated header joined by commas.
        request: one whose `_meta` has been read.
        input_schema: of the called tool. One that is not usable asks for no headers: clients do not show its tool.

    Raises:
        HeaderMismatch: a header is missing, unreadable, or says something else than the body.
        InvalidParams: params or `_meta` are no object.
    """
    check_standard(headers, request)
    if input_schema is not None:
        try:
            mirrored = param_headers(input_schema)
        except ProtocolFault:
            return
        check_params(headers, params.fields(request.params), mirrored)


def check_standard(headers: Mapping[str, str], request: Request) -> None:
    """Checks the headers that every modern request has, without knowing its tool.

    Raises:
        HeaderMismatch: a header is missing, unreadable, or says something else than the body.
        InvalidParams: params or `_meta` are no object.
    """
    members = params.fields(request.params)
    _compare(VERSION, _value(headers, VERSION), meta.read_meta(members).version)
    _compare(METHOD, _value(headers, METHOD), request.method)
    if request.method in NAMED_BY:
        _compare(NAME, _decoded(headers, NAME), _name(request.method, members))


def check_params(
    headers: Mapping[str, str],
    members: Mapping[str, msgspec.Raw],
    mirrored: Sequence[ParamHeader],
) -> None:
    """Checks the headers that repeat arguments of a call. Headers that no schema asks for are nobody's business.

    Raises:
        HeaderMismatch: one is missing, unreadable, or says something else than the arguments.
    """
    for header in mirrored:
        said = _decoded(headers, header.name)
        value = _argument(members, header.path)
        if said is not None and value is not None and _same_number(said, value):
            continue
        _compare(header.name, said, None if value is None else _rendered(value))


def encode_value(text: str) -> str:
    """The text as a header's value: as it stands, or in Base64 where it would not arrive as it stands."""
    if _PRINTABLE.fullmatch(text) and text == text.strip(_OWS) and not _BASE64.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def decode_value(value: str) -> str:
    """The text that a header's value stands for.

    Raises:
        HeaderMismatch: characters that no header may have, or Base64 that nobody writes.
    """
    value = value.strip(_OWS)
    if not _FIELD_VALUE.fullmatch(value):
        raise HeaderMismatch("a header has characters that are not allowed there")
    found = _BASE64.fullmatch(value)
    if found is None:
        return value
    try:
        content = base64.b64decode(found[1], validate=True)
        text = content.decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise HeaderMismatch("a header has Base64 that cannot be read") from error
    if base64.b64encode(content).decode() != found[1]:
        # Bits that Base64 leaves over: two values that read the same would be two to a proxy.
        raise HeaderMismatch("a header has Base64 that cannot be read")
    return text


def _name(method: str, members: Mapping[str, msgspec.Raw]) -> str | None:
    """What `Mcp-Name` repeats; None where there is nothing, which is for the method's reader to refuse."""
    if method not in NAMED_BY:
        return None
    try:
        return params.text(members, NAMED_BY[method])
    except InvalidParams:
        return None


def _value(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name.lower())
    return None if value is None else value.strip(_OWS)


def _decoded(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name.lower())
    try:
        return None if value is None else decode_value(value)
    except HeaderMismatch as error:
        raise HeaderMismatch(f"The header {name} cannot be read: {error}.") from error


def _compare(name: str, said: str | None, wanted: str | None) -> None:
    if said == wanted:
        return
    if said is None:
        raise HeaderMismatch(f"The header {name} is missing; it must repeat the body.")
    raise HeaderMismatch(f"The header {name} says {said[:_SHOWN_CHARS]!r}, the body does not.")


def _argument(members: Mapping[str, msgspec.Raw], path: Path) -> msgspec.Raw | None:
    """The value at that place of the arguments; None where there is none, or null, or no value of one token."""
    value: msgspec.Raw | None = members.get("arguments")
    for step in path:
        try:
            value = None if value is None else _decode_fields(value).get(step)
        except (msgspec.DecodeError, RecursionError):
            return None
    return value if value is not None and bytes(value)[:1] not in (b"n", b"{", b"[") else None


def _rendered(value: msgspec.Raw) -> str:
    """A string, number or boolean as text: the JSON text itself for the latter two."""
    token = bytes(value)
    if token[:1] == b'"':
        return _decode_text(token)
    number = _number(token)
    if number is not None and number.copy_abs() <= _SAFE_INTEGER and number == int(number):
        return str(int(number))
    return token.decode()


def _same_number(said: str, value: msgspec.Raw) -> bool:
    """Whether both are the same number, however written. Only plain decimals are taken for numbers in a header."""
    number = _number(bytes(value))
    return number is not None and bool(_DECIMAL.fullmatch(said)) and Decimal(said) == number


def _number(token: bytes) -> Decimal | None:
    """The number, exactly; None for other tokens, and for exponents beyond all reason."""
    try:
        return Decimal(token.decode()) if token[:1] in _NUMERAL else None
    except InvalidOperation:
        return None
