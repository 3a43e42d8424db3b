"""`initialize`, read and written for both sides. Must not know which capabilities are offered, nor why.

Source: MCP 2025-11-25, lifecycle, "Initialization".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.errors import InvalidParams, ProtocolFault
from gateway.limits import MAX_HELLO_BYTES, MAX_INSTRUCTIONS_CHARS
from gateway.mcp import versions
from gateway.telemetry.refusals import refused

_NOTHING: Final = msgspec.Raw(b"{}")
_NAME_CHARS: Final = 100
"""Of a client's name: it stands in the log line of each of its calls."""
_SHOWN_CHARS: Final = 40
"""Of a revision's name in an error: it may be anything, and any length."""


class ClientHello(msgspec.Struct, frozen=True):
    """What a client says of itself. `version` is what it asks for, whether or not that exists."""

    version: str
    capabilities: dict[str, msgspec.Raw]
    client_info: msgspec.Raw

    @property
    def client_name(self) -> str:
        """The beginning of the client's name, for logs; "" where it has none."""
        try:
            return _decode_named(self.client_info).name[:_NAME_CHARS]
        except msgspec.DecodeError:
            return ""


class ServerHello(msgspec.Struct, frozen=True):
    """What a server says of itself. `version` is the revision that it settled on, one that is served here."""

    version: str
    capabilities: dict[str, msgspec.Raw]
    server_info: msgspec.Raw
    instructions: str = ""


class _Named(msgspec.Struct):
    name: str = ""


class _InitializeParams(msgspec.Struct, rename="camel"):
    protocol_version: str
    capabilities: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    client_info: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)


class _Chosen(msgspec.Struct, rename="camel"):
    protocol_version: str


class _InitializeResult(msgspec.Struct, rename="camel"):
    protocol_version: str
    capabilities: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    server_info: dict[str, msgspec.Raw] | None = None
    instructions: str | None = None


_decode_named = msgspec.json.Decoder(_Named).decode
_decode_params = msgspec.json.Decoder(_InitializeParams).decode
_decode_chosen = msgspec.json.Decoder(_Chosen).decode
_decode_result = msgspec.json.Decoder(_InitializeResult).decode
_encode = msgspec.json.Encoder().encode


def parse_initialize(params: msgspec.Raw | None) -> ClientHello:
    """Reads a client's `initialize`. Absent capabilities and client info are taken as empty, ill-typed ones are not.

    Raises:
        InvalidParams: no object, no protocol version, or a field of another type.
    """
    if params is not None and len(memoryview(params)) > MAX_HELLO_BYTES:
        refused("from_clients.MAX_HELLO_BYTES")
        raise InvalidParams(f"The params of initialize are longer than {MAX_HELLO_BYTES} bytes.")
    try:
        read = _decode_params(_NOTHING if params is None else params)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParams(f"The params of initialize cannot be used: {error}.") from error
    return ClientHello(read.protocol_version, read.capabilities, _pack(read.client_info))


def initialize_result(
    version: str,
    *,
    capabilities: Mapping[str, msgspec.Raw],
    server_info: msgspec.Raw,
    instructions: str = "",
) -> msgspec.Raw:
    """The answer to a client's `initialize`."""
    members: dict[str, object] = {
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": server_info,
    }
    if instructions:
        members["instructions"] = instructions
    return _pack(members)


def initialize_params(
    version: str, *, capabilities: Mapping[str, msgspec.Raw], client_info: msgspec.Raw
) -> msgspec.Raw:
    """The params of our `initialize` towards a server."""
    return _pack(
        {"protocolVersion": version, "capabilities": capabilities, "clientInfo": client_info}
    )


def modern_revision(result: msgspec.Raw) -> str | None:
    """The revision in a server's answer to our `initialize`, where it is one that has no `initialize`."""
    try:
        version = _decode_chosen(result).protocol_version
    except (msgspec.DecodeError, RecursionError):
        return None
    return version if version in versions.MODERN else None


def parse_initialize_result(result: msgspec.Raw) -> ServerHello:
    """Reads a server's answer to our `initialize`. Absent capabilities are taken as none.

    Raises:
        ProtocolFault: no object, ill-typed fields, or a revision that is not spoken here.
    """
    if len(memoryview(result)) > MAX_HELLO_BYTES:
        refused("from_servers.MAX_HELLO_BYTES")
        raise ProtocolFault(
            f"The server answered initialize with more than {MAX_HELLO_BYTES} bytes."
        )
    try:
        read = _decode_result(result)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault(f"The server answered initialize with nonsense: {error}.") from error
    if read.protocol_version not in versions.LEGACY:
        raise ProtocolFault(
            f"The server speaks MCP {read.protocol_version[:_SHOWN_CHARS]!r}; "
            f"spoken here: {', '.join(versions.LEGACY)}."
        )
    return ServerHello(
        read.protocol_version,
        read.capabilities,
        _pack(read.server_info or {}),
        (read.instructions or "")[
            : MAX_INSTRUCTIONS_CHARS + 1
        ],  # more than that, and it is cut later
    )


def _pack(members: Mapping[str, object]) -> msgspec.Raw:
    return msgspec.Raw(_encode(members))
