"""What servers answer with, or fail to, as the answers of calls. Must not know who makes the calls, nor where they are sent."""

from __future__ import annotations

from typing import Final

import msgspec

from actors.call import Answer, Call
from gateway.errors import GatewayError, ProtocolFault
from gateway.jsonrpc.messages import Failure

_OBJECT: Final = ord("{")


class _Outcome(msgspec.Struct, rename="camel"):
    """Whether a tool's result is an error."""

    is_error: bool = False


_decode_outcome = msgspec.json.Decoder(_Outcome).decode


def checked(result: msgspec.Raw, server: str) -> Answer:
    """The result; a failure where it is no object, which no result of MCP may be: strict clients break on it."""
    if memoryview(result)[0] == _OBJECT:
        return result
    return failure_of(ProtocolFault(f"server {server} answered with something else than an object"))


def failure_of(error: GatewayError) -> Failure:
    """An error as the answer of a call."""
    return Failure(None, error.code, str(error))


def loss_of(call: Call, error: GatewayError) -> Failure:
    """The end of its server as the answer of a call: what may have had effects, its client has to look after."""
    text = str(error)
    if call.method == "tools/call" and "outcome is unknown" not in text:
        text = f"{text}; the call's outcome is unknown"
    return Failure(None, error.code, text)


def has_failed(answer: Answer) -> bool:
    """Whether a call has failed, by its answer or within its result."""
    if isinstance(answer, Failure):
        return True
    try:
        return _decode_outcome(answer).is_error
    except msgspec.DecodeError:
        return False
