"""What is written down of a client's session so that another gateway can go on with it. Pure; must not know files.

The id of a session is a secret and is not in its record: who holds the record cannot use the session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.errors import ConfigError

FORMAT: Final = 1
"""Raised whenever a record means something else than before; older ones are read, or dropped."""


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An initialized session of a legacy client.

    `capabilities`: as the client declared them. `log_level`: "" where it set none. `subscriptions`: resource URI to server.
    """

    principal: str
    protocol_version: str
    client_name: str
    capabilities: Mapping[str, msgspec.Raw]
    log_level: str = ""
    subscriptions: Mapping[str, str] = msgspec.field(default_factory=dict)


class NewerRecord(ConfigError):
    """A record of a later version of the gateway."""


class _Versioned(msgspec.Struct):
    """The part that all formats share."""

    format: int


class _Envelope(msgspec.Struct):
    """A record as it is written."""

    format: int
    session: SessionRecord


_decode_format = msgspec.json.Decoder(_Versioned).decode
_decode = msgspec.json.Decoder(_Envelope).decode


def key_of(session_id: str) -> str:
    """What names the record of that session, and does not tell its id: 64 hexadecimal digits."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def pack_record(record: SessionRecord) -> bytes:
    """The record as JSON."""
    return msgspec.json.encode(_Envelope(FORMAT, record))


def parse_record(content: bytes) -> SessionRecord | None:
    """The record in a file's content; None where it is none, or cut.

    Raises:
        NewerRecord
    """
    try:
        if _decode_format(content).format > FORMAT:
            raise NewerRecord(
                "the sessions were kept by a newer mcpgw: use that one, or remove the folder `sessions` of the home"
            )
        return _decode(content).session
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
