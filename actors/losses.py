"""Errors as the answers of calls. Must not know who makes the calls, nor where they are sent."""

from __future__ import annotations

from actors.call import Call
from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Failure


def failure_of(error: GatewayError) -> Failure:
    """An error as the answer of a call."""
    return Failure(None, error.code, str(error))


def loss_of(call: Call, error: GatewayError) -> Failure:
    """The end of its server as the answer of a call: what may have had effects, its client has to look after."""
    text = str(error)
    if call.method == "tools/call" and "outcome is unknown" not in text:
        text = f"{text}; the call's outcome is unknown"
    return Failure(None, error.code, text)
