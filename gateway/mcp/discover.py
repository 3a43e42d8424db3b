"""`server/discover` for both sides, and what a probe with it tells of a server. Must not know how it is asked.

Source: MCP 2026-07-28, server features, "Discovery"; basic, "Versioning and Compatibility"; transports, "stdio",
"Backward Compatibility".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.errors import ProtocolFault
from gateway.jsonrpc.messages import Failure
from gateway.mcp import meta, versions
from gateway.mcp.params import Fields

METHOD: Final = "server/discover"

HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
MODERN_ERRORS: Final = frozenset({HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION})
"""Errors that only modern servers answer with; any other answer to a probe comes from a legacy one."""


class Discovered(msgspec.Struct, frozen=True):
    """What a modern server says of itself. `versions` are all that it speaks, as it lists them."""

    versions: tuple[str, ...]
    capabilities: Fields
    server_info: msgspec.Raw
    instructions: str = ""


class _Result(msgspec.Struct, rename="camel"):
    supported_versions: tuple[str, ...]
    capabilities: Fields
    instructions: str | None = None


class _Unsupported(msgspec.Struct):
    supported: tuple[str, ...] = ()


_NOTHING: Final = msgspec.Raw(b"{}")
_decode_result = msgspec.json.Decoder(_Result).decode
_decode_unsupported = msgspec.json.Decoder(_Unsupported).decode
_encode = msgspec.json.Encoder().encode


def discover_result(
    *, capabilities: Mapping[str, msgspec.Raw], instructions: str = ""
) -> msgspec.Raw:
    """The answer to a client, without what every modern result has: see `era.result_to_modern`.

    Only modern revisions are listed, although the gateway speaks others: clients choose one of these for requests of
    this kind, and none of them may be answered by -32022.
    """
    members: dict[str, object] = {
        "supportedVersions": versions.MODERN,
        "capabilities": capabilities,
    }
    if instructions:
        members["instructions"] = instructions
    return msgspec.Raw(_encode(members))


def parse_discover(result: msgspec.Raw) -> Discovered | None:
    """Reads a server's answer to a probe; None where it is no such answer, and the server a legacy one."""
    try:
        read = _decode_result(result)
        said = meta.checked_meta(meta.result_fields(result))
    except (msgspec.DecodeError, RecursionError, ProtocolFault):
        return None
    return Discovered(
        read.supported_versions,
        read.capabilities,
        said.get(meta.SERVER_INFO, _NOTHING),
        read.instructions or "",
    )


def is_modern_error(failure: Failure) -> bool:
    """Whether only a modern server answers like that: then `initialize` must not be tried."""
    return failure.code in MODERN_ERRORS


def supported(failure: Failure) -> tuple[str, ...]:
    """The revisions that a server offers instead of the one that it refused; none where it names none."""
    if failure.code != UNSUPPORTED_VERSION or failure.data is None:
        return ()
    try:
        return _decode_unsupported(failure.data).supported
    except (msgspec.DecodeError, RecursionError):
        return ()


def choose(offered: Iterable[str]) -> str | None:
    """The newest modern revision that both sides speak; None where there is none."""
    listed = set(offered)
    return next((name for name in versions.MODERN if name in listed), None)
