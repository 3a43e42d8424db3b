"""How a running server is greeted: asked whether it is a modern one, or by the handshake. Finds out its era.

A process is locked to the era of its first request, so that each is greeted in the era of the client that it is started
for, where the server is known to speak it or not asked yet. Must not know how servers are started.

Source: MCP 2026-07-28, basic, "Versioning and Compatibility"; transports, "stdio", "Backward Compatibility"; MCP
2025-11-25, basic/lifecycle, "Initialization".
"""

from __future__ import annotations

import trio

from actors.dialects import LEGACY, ModernDialect
from actors.own_requests import inquire, set_log_level
from actors.server_request import METHOD_NOT_FOUND
from actors.upstream import Upstream
from gateway import limits
from gateway.errors import ProtocolFault, TooSlow
from gateway.jsonrpc.messages import Failure
from gateway.mcp import capabilities, discover, handshake, params, versions
from gateway.mcp.handshake import ServerHello
from gateway.mcp.identity import CLIENT_INFO
from gateway.mcp.meta import stamp
from gateway.mcp.profile import NEUTRAL, ClientProfile
from gateway.mcp.spoken import UNASKED, Spoken
from gateway.telemetry.refusals import refused

_SHOWN_CHARS = 100
"""Of what a server says it speaks, in an error."""


class WrongEra(ProtocolFault):
    """The server does not speak the era in which it was addressed first, and is locked to it now."""


async def greet(
    upstream: Upstream,
    *,
    within_s: float,
    profile: ClientProfile = NEUTRAL,
    spoken: Spoken = UNASKED,
) -> Spoken:
    """Greets the server in the name of a client with that profile; `upstream` then has its hello, and its dialect.

    Args:
        upstream: connected, and being read.
        within_s: for all of it.
        profile: the client. A modern server is told of it with each call.
        spoken: what is known of the server.

    Returns:
        What is known now.

    Raises:
        TooSlow: no answer within `within_s`.
        Gone: the server ended first; the text has the tail of its stderr.
        ProtocolFault: it answered an error, nonsense, or speaks no revision that is spoken here.
        WrongEra: it will not be spoken to in this era, but may be in the other one once it is started anew.
    """
    deadline = trio.current_time() + within_s
    if spoken.era_for(profile.era) == "modern":
        patience_s = within_s if spoken.modern else min(within_s, limits.PROBE_S)
        if await _discover(upstream, within_s=patience_s):
            return spoken.learn("modern", speaks=True)
        spoken = spoken.learn("modern", speaks=False)
    left_s = max(0.0, deadline - trio.current_time())
    try:
        refusal = await _initialize(upstream, profile, within_s=left_s)
    except TooSlow:
        refused("to_servers.INITIALIZE_TIMEOUT_S")
        raise
    if refusal is not None:
        # Known as a legacy server or not: it may be another one by now.
        left_s = max(0.0, deadline - trio.current_time())
        if await _discover(upstream, within_s=left_s):
            return Spoken(legacy=False, modern=True)
        raise _refused(upstream.server, refusal)
    return spoken.learn("legacy", speaks=True)


async def _discover(upstream: Upstream, *, within_s: float) -> bool:
    """Asks whether the server is a modern one, and what it offers; False where it is none.

    Raises:
        Gone, Overloaded
        ProtocolFault: it is one, but speaks no revision that is spoken here.
    """
    version = versions.NEWEST
    refused: set[str] = set()
    for _ in range(len(versions.MODERN) + 1):
        members = stamp({}, version=version, capabilities={}, client_info=CLIENT_INFO)
        try:
            answer = await inquire(upstream, discover.METHOD, members, within_s=within_s)
        except TooSlow:
            return False
        if isinstance(answer, Failure):
            if not discover.is_modern_error(answer):
                return False
            offered = discover.supported(answer)
        else:
            found = discover.parse_discover(answer)
            if found is None:
                return False
            if version in found.versions:
                upstream.hello = ServerHello(
                    version, found.capabilities, found.server_info, found.instructions
                )
                upstream.dialect = ModernDialect(version)
                return True
            offered = found.versions
        chosen = discover.choose(offered)
        if chosen is None and any(name in versions.LEGACY for name in offered):
            return False
        if chosen is None or chosen in refused:
            raise ProtocolFault(
                f"server {upstream.server} speaks MCP {', '.join(offered)[:_SHOWN_CHARS] or 'in no revision'}; "
                f"spoken here: {', '.join(versions.MODERN)}"
            )
        # A server that refuses a revision and offers the same in one breath is asked once more.
        refused.add(version)
        version = chosen
    return False


async def _initialize(
    upstream: Upstream, profile: ClientProfile, *, within_s: float
) -> Failure | None:
    """Does the handshake; gives the error that it was answered with, None where it was done.

    Raises:
        TooSlow, Gone, ProtocolFault, Overloaded
    """
    offered = handshake.initialize_params(
        versions.LATEST,
        capabilities=capabilities.client_to_legacy(profile.capabilities, versions.LATEST),
        client_info=CLIENT_INFO,
    )
    answer = await inquire(upstream, "initialize", params.fields(offered), within_s=within_s)
    if isinstance(answer, Failure):
        return answer
    if (named := handshake.modern_revision(answer)) is not None:
        # It takes the handshake, and means another era: that is a refusal, only a polite one.
        return Failure(None, discover.UNSUPPORTED_VERSION, f"it speaks MCP {named}")
    hello = handshake.parse_initialize_result(answer)
    upstream.dialect = LEGACY
    upstream.notify("notifications/initialized")
    if profile.log_level and "logging" in hello.capabilities:
        set_log_level(upstream, profile.log_level)
    upstream.hello = hello
    return None


def _refused(server: str, refusal: Failure) -> ProtocolFault:
    """The error for a server that refused the handshake, and then to be discovered."""
    text = f"server {server} refused initialize: {refusal.message} ({refusal.code})"
    if discover.is_modern_error(refusal) or refusal.code == METHOD_NOT_FOUND:
        return WrongEra(text)
    return ProtocolFault(text)
