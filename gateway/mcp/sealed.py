"""Handles that travel through clients and come back: sealed, so that nobody reads, changes or lends them.

A `requestState` names a call that waits here, a task id a task of some server. Both are bound to who got them; the state
also to the request that it continues, and to a time. Must not know what waits behind a handle, nor the time.

Source: MCP 2026-07-28, basic, patterns, "Multi Round-Trip Requests", "Server Requirements"; SEP-2663, "Security
Considerations"; RFC 8439 (the cipher).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from gateway.errors import StateRefused
from gateway.limits import MAX_SEALED_CHARS
from gateway.mcp.params import pack
from gateway.telemetry.refusals import refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_NONCE_BYTES: Final = 12
_DIGEST_BYTES: Final = 16
_KEY_BYTES: Final = 32
_PURPOSE: Final = b"mcpgw sealed 1"
_UNSIGNED: Final = ("_meta", "inputResponses", "requestState")
"""Params that differ between a request and its retry."""


class StateClaims(msgspec.Struct, frozen=True, array_like=True):
    """What a `requestState` says: which gateway holds which call, for whom, and of which request, until when.

    `digest` is that of the request's params; `expires_at` is on the clock of the one who opens it. Where the server
    keeps the call itself, there is no call id: `inner` is the state that the server gave.
    """

    instance: str
    call_id: str
    principal: str
    method: str
    digest: str
    expires_at: float
    inner: str | None = None


class TaskClaims(msgspec.Struct, frozen=True, array_like=True):
    """What a task id says: the server, the id there, whose it is, and under which owner its container is found."""

    server: str
    task_id: str
    principal: str
    owner: str


T = TypeVar("T", StateClaims, TaskClaims)

_STATE: Final = b"state"
_TASK: Final = b"task"

_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


class Seal:
    """Seals and opens handles with one key. Gateways that share a key know each other's handles."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, digest_size=_KEY_BYTES, person=_PURPOSE).digest()
        self._made: ChaCha20Poly1305 | None = None
        """The cipher, once it was needed."""

    def __repr__(self) -> str:
        """Never the key."""
        return "<Seal>"

    def seal(self, claims: StateClaims) -> str:
        """A `requestState`: URL-safe text, different each time."""
        return self._lock(secrets.token_bytes(_NONCE_BYTES), _STATE, _encode(claims))

    def open(
        self,
        token: str,
        *,
        principal: str,
        method: str,
        digest: str,
        now: float,
        instance: str | None = None,
    ) -> StateClaims:
        """The claims of a `requestState`, if it is ours, still good, and for this request of this caller.

        `instance`: the gateway that must hold the call; None where any will do.

        Raises:
            StateRefused: it is not; the text says why.
        """
        claims = self._unlock(token, _STATE, StateClaims)
        if claims.principal != principal:
            raise StateRefused("This requestState was given to somebody else.")
        if (claims.method, claims.digest) != (method, digest):
            raise StateRefused("This requestState belongs to a request with other params.")
        if now >= claims.expires_at:
            raise StateRefused("This requestState has expired; send the request again without it.")
        if instance is not None and claims.instance != instance:
            raise StateRefused(
                "The gateway that asked is gone or another one; send the request again without requestState."
            )
        return claims

    def seal_task(self, claims: TaskClaims) -> str:
        """A task id: URL-safe text, the same for the same task and caller, for clients compare them."""
        payload = _encode(claims)
        nonce = hashlib.blake2b(payload, key=self._key, digest_size=_NONCE_BYTES).digest()
        return self._lock(nonce, _TASK, payload)

    def open_task(self, token: str, *, principal: str) -> TaskClaims:
        """The claims of a task id, if it is ours and this caller's.

        Raises:
            StateRefused: it is not. The text does not say which: ids of others are unknown ones.
        """
        try:
            claims = self._unlock(token, _TASK, TaskClaims)
        except StateRefused as error:
            raise StateRefused("There is no such task.") from error
        if claims.principal != principal:
            raise StateRefused("There is no such task.")
        return claims

    def _lock(self, nonce: bytes, purpose: bytes, payload: bytes) -> str:
        return _to_text(nonce + self._cipher.encrypt(nonce, payload, purpose))

    def _unlock(self, token: str, purpose: bytes, kind: type[T]) -> T:
        # lazy: only callers that hold a handle get here, and the library is dear to import
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 -- see above

        sealed = _from_text(token)
        nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            payload = self._cipher.decrypt(nonce, content, purpose)
            return msgspec.json.decode(payload, type=kind)
        except (
            InvalidTag,
            ValueError,
        ) as error:  # ValueError: too short, or the claims of another release
            raise _not_ours() from error

    @property
    def _cipher(self) -> ChaCha20Poly1305:
        if self._made is None:
            # lazy: most sessions never seal anything, and the library takes longer to import than we to start
            from cryptography.hazmat.primitives.ciphers.aead import (  # noqa: PLC0415 -- see above
                ChaCha20Poly1305,
            )

            self._made = ChaCha20Poly1305(self._key)
        return self._made


def digest_of(members: Mapping[str, msgspec.Raw]) -> str:
    """A digest of a request's params that its retries share, however their JSON is laid out."""
    salient = pack({name: raw for name, raw in members.items() if name not in _UNSIGNED})
    try:
        text = _encode_sorted(_decode(salient))
    except (msgspec.DecodeError, RecursionError):
        # Numbers that Python has no value for: then the retry's text must be the same.
        text = bytes(salient)
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def _to_text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _from_text(token: str) -> bytes:
    """The bytes of a token; each has one token only."""
    if len(token) > MAX_SEALED_CHARS:
        refused("from_clients.MAX_SEALED_CHARS")
        raise _not_ours()
    if not token.isascii():
        raise _not_ours()
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise _not_ours() from error
    if _to_text(sealed) != token:
        raise _not_ours()
    return sealed


def _not_ours() -> StateRefused:
    return StateRefused("This requestState is not one of this gateway's, or was changed.")
