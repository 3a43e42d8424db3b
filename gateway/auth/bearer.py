"""The bearer token of the network transports: where it comes from, and who shows it. Must not know HTTP servers.

Source: RFC 6750 §2.1 and §3 (the header and the challenge).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from gateway import limits
from gateway.errors import OptionError, Unauthorized
from gateway.home import Home, write_atomic
from gateway.ports import ANYONE, Principal

TOKEN_VARIABLE: Final = "MCP_GATEWAY_AUTH_TOKEN"  # noqa: S105 -- the name of a variable
TOKEN_FILE_VARIABLE: Final = "MCP_GATEWAY_AUTH_TOKEN_FILE"  # noqa: S105 -- the name of a variable
CHALLENGE: Final = 'Bearer realm="mcpgw"'
"""Value of `WWW-Authenticate` in every 401."""

_SCHEME: Final = b"bearer"
_PRIVATE: Final = 0o600
_SHARED_BITS: Final = 0o077
_NAME_DIGITS: Final = 12


class Token(msgspec.Struct, frozen=True):
    """A bearer token and its origin. `value` is a secret: show it only where an operator asked for it.

    `origin`: "environment", "file", "home", or "memory" where the home cannot be written: then it lasts for one run.
    """

    value: str
    origin: Literal["environment", "file", "home", "memory"]

    def __repr__(self) -> str:
        """Names the origin, never the value."""
        return f"Token(origin={self.origin!r})"


class Authenticator(Protocol):
    """Decides who sent a request."""

    @property
    def required(self) -> bool:
        """Whether callers have to show anything at all."""

    def authenticate(self, authorization: bytes | None) -> Principal:
        """Names the principal of an `Authorization` header (None where there is none).

        Raises:
            Unauthorized: no credentials, or wrong ones.
        """


class Open:
    """Lets everybody in (`--allow-unauthenticated`)."""

    required = False

    def authenticate(self, authorization: bytes | None) -> Principal:  # noqa: ARG002 -- the Protocol's signature
        """Everybody is one principal."""
        return ANYONE


class Bearer:
    """Lets in who shows the token."""

    required = True

    def __init__(self, token: str, *, key: bytes) -> None:
        """Takes the token, and the home's hash key that turns it into the principal's name."""
        self._token = token.encode()
        self._header = b"Bearer " + self._token
        """As most clients write it; others spell the scheme differently, or have more blanks."""
        digest = hmac.new(key, b"principal:" + self._token, hashlib.sha256).hexdigest()
        self._principal = Principal(f"token-{digest[:_NAME_DIGITS]}")

    def __repr__(self) -> str:
        """Names the principal, never the token."""
        return f"<Bearer {self._principal.name}>"

    def authenticate(self, authorization: bytes | None) -> Principal:
        """The token's principal, in a time that does not tell how much of the token was right."""
        if authorization is None:
            raise Unauthorized(
                "this gateway wants a bearer token: send `Authorization: Bearer …` with the token that "
                "`mcpgw token show` prints"
            )
        if hmac.compare_digest(authorization, self._header):
            return self._principal
        scheme, _, shown = authorization.strip().partition(b" ")
        if scheme.lower() != _SCHEME or not hmac.compare_digest(shown.strip(), self._token):
            raise Unauthorized(
                "the bearer token is not this gateway's: `mcpgw token show` prints the right one"
            )
        return self._principal


def load_token(environ: Mapping[str, str], home: Home) -> Token:
    """Finds the token: `MCP_GATEWAY_AUTH_TOKEN`, the file it names, the home's; else makes one and keeps it there.

    Raises:
        OptionError: the variables name a file that cannot be read, or hold nothing usable.
    """
    if TOKEN_VARIABLE in environ:
        return Token(_usable(environ[TOKEN_VARIABLE], TOKEN_VARIABLE), "environment")
    if named := environ.get(TOKEN_FILE_VARIABLE):
        return Token(_usable(_read(Path(named)), f"{named} ({TOKEN_FILE_VARIABLE})"), "file")
    try:
        return Token(_kept(home.token), "home")
    except OSError:
        # A home mounted read-only still has to work, and its operator sees the token printed at start.
        return Token(new_token(), "memory")


def new_token() -> str:
    """A fresh token: URL-safe characters only, fit for headers, shells and JSON without quoting."""
    return secrets.token_urlsafe(limits.TOKEN_BYTES)


def _usable(text: str, origin: str) -> str:
    """The token in `text` without the white space around it; files end with a newline.

    Raises:
        OptionError: nothing is left, or it cannot stand in a header.
    """
    token = text.strip()
    if not token:
        raise OptionError(f"{origin} holds no token: put one in, or unset it to have one made")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise OptionError(
            f"the token in {origin} cannot be sent in a header: use letters, digits and -._~+/="
        )
    return token


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise OptionError(
            f"the token file {path} ({TOKEN_FILE_VARIABLE}) cannot be read: {reason}"
        ) from error


def _kept(path: Path) -> str:
    """The home's token; made if there is none, made private if it is not. Of two creators one wins and both agree.

    Raises:
        OptionError: something else has its name.
        OSError: it can be neither read nor made.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or device has no end
            raise OptionError(f"{path} is no token file: move it away, and one is made")
        if path.stat().st_mode & _SHARED_BITS:
            path.chmod(_PRIVATE)
        if token := path.read_text(encoding="utf-8", errors="replace").strip():
            return _usable(token, str(path))
        write_atomic(path, f"{new_token()}\n".encode(), mode=_PRIVATE)
        return path.read_text(encoding="utf-8").strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file 0600; a link, unlike a rename, leaves the token of a faster creator alone.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".token-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{new_token()}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    return path.read_text(encoding="utf-8").strip()
