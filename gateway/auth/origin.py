"""Which Host and Origin a request may carry. Pure: strings in, a verdict out.

Both rules stop DNS rebinding: a web page whose name was made to resolve to this machine sends its own name as Host, and
its own address as Origin. A request without an Origin does not come from a page.

Source: MCP 2025-11-25, transports, "Security Warning"; WHATWG Fetch, "Origin header" and "CORS protocol".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway import limits
from gateway.errors import Forbidden, OptionError

_ANY: Final = "*"
_LOCAL_NAME: Final = "localhost"
_AFTER_LITERAL: Final = re.compile(r"(?::[0-9]*)?")
"""What may follow the brackets of an IPv6 literal."""
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s@]+")
"""A scheme, a host, perhaps a port: some programs have schemes of their own."""
_OPAQUE: Final = "null"
"""The Origin of sandboxed frames and local files: anybody can be it."""
_SHOWN_CHARS: Final = 100
"""As much of a refused value as a message repeats."""


class NetworkRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one listener.

    `loopback`: it is bound to this machine only, so that no Host but this machine's own names makes sense.
    `allow_hosts`, `allow_origins`: what the operator lets in beyond that, in lower case; `*` for all.
    """

    loopback: bool
    allow_hosts: frozenset[str] = frozenset()
    allow_origins: frozenset[str] = frozenset()

    def check_host(self, host: str | None) -> None:
        """Lets this machine's names pass, IP literals too where the bind is public, and the allowed names.

        No Host at all passes: every browser sends one, and old probes do not.

        Raises:
            Forbidden: any other name. The message says which flag lets it in.
        """
        if host is None or _ANY in self.allow_hosts or host.lower() in self.allow_hosts:
            return
        name = _hostname(host)
        if name is None:
            raise Forbidden(f"the Host header {_shown(host)} names no host")
        if _is_local(name) or name in self.allow_hosts:
            return
        if not self.loopback and _is_address(name):
            return
        raise Forbidden(
            f"the Host {_shown(name)} is not allowed: if it is a name of this gateway, start it with "
            f"--allow-host {_shown(name)}"
        )

    def check_origin(self, origin: str | None) -> None:
        """Lets requests pass that come from no page, from a page of this machine, or from an allowed one.

        Raises:
            Forbidden: any other page. The message says which flag lets it in.
        """
        if origin is None or self.shares_with(origin):
            return
        if origin != _OPAQUE and _is_local_page(origin):
            return
        raise Forbidden(
            f"the Origin {_shown(origin)} is not allowed: if you trust that page, start the gateway with "
            f"--allow-origin {_shown(origin)}"
        )

    def shares_with(self, origin: str) -> bool:
        """Whether the operator allowed this Origin by name: its pages may read the answers (CORS)."""
        origin = origin.lower()
        return origin in self.allow_origins or (_ANY in self.allow_origins and origin != _OPAQUE)


def network_rules(
    *, hosts: Iterable[str], allow_hosts: Iterable[str] = (), allow_origins: Iterable[str] = ()
) -> NetworkRules:
    """The rules for a listener bound to `hosts`. A name that it is bound by is allowed as Host.

    Raises:
        OptionError: an allowed host or origin is in a form that no request has.
    """
    bound = [host.lower() for host in hosts]
    names = {host for host in bound if not _is_address(host)}
    return NetworkRules(
        loopback=all(_is_local(host) for host in bound),
        allow_hosts=frozenset({_allowed_host(host) for host in allow_hosts} | names),
        allow_origins=frozenset(_allowed_origin(origin) for origin in allow_origins),
    )


def _allowed_host(host: str) -> str:
    bare = _bare(host)
    if bare != _ANY and not _is_address(bare) and _hostname(bare) is None:
        raise OptionError(
            f"--allow-host {_shown(host)} is no host: write a name or an address, perhaps with a port, or `*`"
        )
    return bare


def _allowed_origin(origin: str) -> str:
    bare = origin.lower().rstrip("/")
    if bare not in {_ANY, _OPAQUE} and not _ORIGIN.fullmatch(bare):
        raise OptionError(
            f"--allow-origin {_shown(origin)} is no origin: write it as https://app.example, perhaps with a port, or `*`"
        )
    return bare


def _bare(host: str) -> str:
    """An allowed host as it is compared: lower case, without the brackets of an IPv6 literal or a closing dot."""
    return host.lower().strip("[]").rstrip(".")


@lru_cache(limits.REMEMBERED_HOSTS)
def _hostname(host: str) -> str | None:
    """The name in a Host header, without its port; None where there is none."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if not name or parts.netloc != host or parts.username is not None:
        return None
    # `[::1].evil.com` would otherwise be taken for `[::1]`.
    if host.startswith("[") and not _AFTER_LITERAL.fullmatch(host.partition("]")[2]):
        return None
    return name.rstrip(".")


def _is_local_page(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or parts.path or parts.query or parts.fragment:
        return False
    name = _hostname(parts.netloc)
    return name is not None and _is_local(name)


@lru_cache(limits.REMEMBERED_HOSTS)
def _is_local(name: str) -> bool:
    if name == _LOCAL_NAME:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _shown(value: str) -> str:
    """A value of the client in a message: printable, short, and of one line."""
    return "".join(char if char.isprintable() else "?" for char in value[:_SHOWN_CHARS])
