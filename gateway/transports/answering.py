"""Carries the answer of a POST to its client, over any call. Must not know MCP, nor what carries it."""

from __future__ import annotations

import trio

from gateway.transports.event_stream import stream_events
from gateway.transports.exchange import Exchange
from gateway.transports.http import HttpCall, Reply


async def answer(call: HttpCall, outcome: Reply | Exchange) -> None:
    """Sends a reply, or what an exchange becomes.

    Cancellation: as if the client had left.
    """
    if isinstance(outcome, Reply):
        await call.respond(outcome)
        return
    try:
        if await _is_wanted(call, outcome):
            if outcome.events is not None:
                await stream_events(call, outcome.events, outcome.headers())
            else:
                await call.respond(outcome.reply())
    finally:
        outcome.left()


async def _is_wanted(call: HttpCall, exchange: Exchange) -> bool:
    """Waits until it is decided how to answer; says whether the client is still there.

    One that waits for long gets a stream, whose keep-alive comments hold the connection through proxies.
    """
    elsewhere = trio.sleep_forever if exchange.survives else call.disconnected
    with trio.move_on_after(exchange.patience_s) as patience:
        await exchange.decided_or(elsewhere)
    if patience.cancelled_caught and not exchange.stream():
        await exchange.decided_or(elsewhere)
    return exchange.mode != "open"
