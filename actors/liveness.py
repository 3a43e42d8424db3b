"""Whether a server that let a call pass its deadline still lives. Must not know who owns it, or how it is stopped.

A slow tool is no reason to lose what a server holds in memory; a server that answers nothing at all is of no use to anyone,
and only its end lets the next call have another.
"""

from __future__ import annotations

from actors.own_requests import inquire
from actors.upstream import Upstream
from gateway import limits
from gateway.errors import GatewayError, TooSlow
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("liveness")


async def end_when_hung(upstream: Upstream) -> None:
    """Ends the upstream once it shows no sign of life after a call of it was overdue. Runs until cancelled, or until then."""
    while True:
        await upstream.overdue()
        try:
            await inquire(upstream, upstream.dialect.sign_of_life, {}, within_s=limits.SETTLE_S)
        except TooSlow:
            refused("to_servers.SETTLE_S")
            log.warning("server_hung", server=upstream.server, name=upstream.pipe.name)
            upstream.end(
                TooSlow(
                    f"server {upstream.server} ({upstream.pipe.name}) has hung: it let a call pass its deadline, and "
                    f"answered nothing within another {limits.SETTLE_S:g} s; the next call starts it anew"
                )
            )
            return
        except GatewayError:
            # It is gone already, or takes no input: its own reader and writer see to that.
            continue
