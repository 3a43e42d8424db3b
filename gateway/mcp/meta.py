"""`_meta` of the modern era: what each request says of its client, and each result of its server.

Must not know methods. All other keys of `_meta` (progress tokens, trace context, those of extensions) stay as they came.

Source: MCP 2026-07-28, basic, "_meta"; server utilities, "Logging".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from gateway.errors import InvalidParams, ProtocolFault, UnsupportedVersion
from gateway.mcp import log_levels, versions
from gateway.mcp.params import Fields, pack

META: Final = "_meta"
_PREFIX: Final = "io.modelcontextprotocol/"
VERSION: Final = f"{_PREFIX}protocolVersion"
CAPABILITIES: Final = f"{_PREFIX}clientCapabilities"
CLIENT_INFO: Final = f"{_PREFIX}clientInfo"
LOG_LEVEL: Final = f"{_PREFIX}logLevel"
SERVER_INFO: Final = f"{_PREFIX}serverInfo"
SUBSCRIPTION: Final = f"{_PREFIX}subscriptionId"
UPSTREAM_INFO: Final = "mcpgw/upstream"
"""Ours: the identity of the server that a result comes from, for people. `serverInfo` names the gateway."""

REQUEST_KEYS: Final = (VERSION, CAPABILITIES, CLIENT_INFO, LOG_LEVEL)
"""What a modern request says of its client. One of them is enough to take a request for a modern one."""

_EMPTY: Final = msgspec.Raw(b"{}")
_SHOWN_CHARS: Final = 40
"""Of a revision's name or a log level in an error: it may be anything, and any length."""

T = TypeVar("T")


class _Named(msgspec.Struct):
    name: str = ""


_decode_fields = msgspec.json.Decoder(Fields)
_decode_text = msgspec.json.Decoder(str)
_decode_named = msgspec.json.Decoder(_Named)
_encode = msgspec.json.Encoder().encode


class ModernMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What a modern request says of its client.

    `version` need not be spoken here: see `check_version`. `log_level`: None where it wants no log messages.
    `extensions`: the settings of each extension that it declares.
    """

    version: str
    capabilities: Fields
    client_info: msgspec.Raw = _EMPTY
    log_level: str | None = None
    extensions: Fields = msgspec.field(default_factory=dict)

    @property
    def client_name(self) -> str:
        """The client's name for logs; "" where it has none."""
        try:
            return _decode_named.decode(self.client_info).name
        except msgspec.DecodeError:
            return ""


def parse_meta(members: Mapping[str, msgspec.Raw]) -> ModernMeta | None:
    """Reads the `_meta` in a request's params. None: it is no modern request.

    Raises:
        InvalidParams: a modern request whose required members are missing, or a member is ill-typed.
    """
    try:
        meta = _decode_fields.decode(members.get(META, _EMPTY))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not any(key in meta for key in REQUEST_KEYS):
        return None
    return read_meta(members)


def read_meta(members: Mapping[str, msgspec.Raw]) -> ModernMeta:
    """The same for a request that is known to be modern, by its header or its method.

    Raises:
        InvalidParams: required members are missing, or a member is ill-typed.
    """
    meta = _read(_decode_fields, _required(members, META, "params"), META, "an object")
    version = _read(_decode_text, _required(meta, VERSION, META), VERSION, "a string")
    capabilities = _object(CAPABILITIES, _required(meta, CAPABILITIES, META))
    info = meta.get(CLIENT_INFO, _EMPTY)
    _object(CLIENT_INFO, info)
    return ModernMeta(
        version=version,
        capabilities=capabilities,
        client_info=info,
        log_level=_log_level(meta),
        extensions=_object("extensions", capabilities.get("extensions", _EMPTY)),
    )


def check_version(meta: ModernMeta) -> None:
    """Checks that the request's revision is spoken here.

    Raises:
        UnsupportedVersion: it is not, or it is one that opens with `initialize`.
    """
    if meta.version not in versions.MODERN:
        asked = meta.version[:_SHOWN_CHARS]
        raise UnsupportedVersion(
            f"MCP {asked!r} is not spoken here; spoken are: {', '.join(versions.MODERN)}.",
            requested=meta.version,
            supported=versions.MODERN,
        )


def stamp(
    members: Mapping[str, msgspec.Raw],
    *,
    version: str,
    capabilities: Mapping[str, msgspec.Raw],
    client_info: msgspec.Raw,
    log_level: str | None = None,
) -> Fields:
    """The params of a request to a modern server: the same fields, and in `_meta` what it must know of its client.

    Raises:
        InvalidParams: `_meta` is no object.
    """
    meta = unstamped(_meta(members))
    meta[VERSION] = msgspec.Raw(_encode(version))
    meta[CAPABILITIES] = pack(capabilities)
    meta[CLIENT_INFO] = client_info
    if log_level is not None:
        meta[LOG_LEVEL] = msgspec.Raw(_encode(log_level))
    return {**members, META: pack(meta)}


def unstamp(members: Mapping[str, msgspec.Raw]) -> Fields:
    """The params of a request to a legacy server: without what only modern ones know; nothing where `_meta` is left empty.

    Raises:
        InvalidParams: `_meta` is no object.
    """
    if META not in members:
        return dict(members)
    meta = unstamped(_meta(members))
    if meta:
        return {**members, META: pack(meta)}
    return {name: value for name, value in members.items() if name != META}


def unstamped(meta: Mapping[str, msgspec.Raw]) -> Fields:
    """A request's `_meta` without what it says of its client."""
    return {key: value for key, value in meta.items() if key not in REQUEST_KEYS}


def with_server_info(result: msgspec.Raw, info: msgspec.Raw) -> msgspec.Raw:
    """The same result, with the gateway as its server; the upstream's own identity is kept under `UPSTREAM_INFO`.

    Raises:
        ProtocolFault: the result is no object.
    """
    return pack(name_server(result_fields(result), info))


def name_server(result: Mapping[str, msgspec.Raw], info: msgspec.Raw) -> Fields:
    """`with_server_info` on the fields of a result."""
    meta = result_meta(result)
    upstream = meta.pop(SERVER_INFO, None)
    if upstream is not None and bytes(upstream) != bytes(info):
        meta[UPSTREAM_INFO] = upstream
    meta[SERVER_INFO] = info
    return {**result, META: pack(meta)}


def result_fields(result: msgspec.Raw) -> Fields:
    """The fields of a result.

    Raises:
        ProtocolFault: it is no object.
    """
    try:
        return _decode_fields.decode(result)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault("The server answered with a result that is no object.") from error


def result_meta(result: Mapping[str, msgspec.Raw]) -> Fields:
    """The `_meta` of a server's result; empty where there is none, or what is there is no object.

    Nobody can read the latter, and it is no reason to withhold a result: the server has done its work by then.
    """
    try:
        return checked_meta(result)
    except ProtocolFault:
        return {}


def checked_meta(members: Mapping[str, msgspec.Raw]) -> Fields:
    """The `_meta` of what a server says, where something depends on it; empty where there is none.

    Raises:
        ProtocolFault: it is no object.
    """
    try:
        return _decode_fields.decode(members.get(META, _EMPTY))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault('The server sent a "_meta" that is no object.') from error


def _log_level(meta: Mapping[str, msgspec.Raw]) -> str | None:
    if LOG_LEVEL not in meta:
        return None
    level = _read(_decode_text, meta[LOG_LEVEL], LOG_LEVEL, "a string")
    if not log_levels.known(level):
        raise InvalidParams(
            f"The log level {level[:_SHOWN_CHARS]!r} is unknown; "
            f"use one of {', '.join(log_levels.LEVELS)}."
        )
    return level


def _meta(members: Mapping[str, msgspec.Raw]) -> Fields:
    return _object(META, members.get(META, _EMPTY))


def _object(key: str, raw: msgspec.Raw) -> Fields:
    return _read(_decode_fields, raw, key, "an object")


def _required(members: Mapping[str, msgspec.Raw], key: str, where: str) -> msgspec.Raw:
    try:
        return members[key]
    except KeyError:
        raise InvalidParams(f"{where} lacks {key!r}.") from None


def _read(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, what: str, expected: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParams(f"{what!r} must be {expected}.") from error
