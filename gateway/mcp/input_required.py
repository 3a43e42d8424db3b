"""Questions that a modern server puts inside a result, and the retry that answers them. Must not know who asks.

Where a legacy server sends a request of its own and waits, a modern one ends the call with `input_required`; its client
calls again with the answers, and with a state that it must not look into.

Source: MCP 2026-07-28, basic, patterns, "Multi Round-Trip Requests".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gateway.errors import InvalidParams, ProtocolFault
from gateway.limits import MAX_INPUT_REQUESTS
from gateway.mcp.meta import result_fields
from gateway.mcp.params import Fields, pack
from gateway.telemetry.refusals import refused

METHODS: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Only these may be answered by questions."""

InputMethod = Literal["elicitation/create", "sampling/createMessage", "roots/list"]
"""What may be asked."""

RESULT_TYPE: Final = "input_required"
_RESPONSES: Final = "inputResponses"
_STATE: Final = "requestState"


class InputRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question: a request of the legacy kind, without an id. `params` is an object, or None where absent."""

    method: InputMethod
    params: msgspec.Raw | None = None


class InputRequired(msgspec.Struct, frozen=True):
    """What a result asks for: questions by name, and the state that goes back with the answers."""

    requests: dict[str, InputRequest]
    state: str | None = None


class _Kind(msgspec.Struct, rename="camel"):
    result_type: str = ""


class _Asked(msgspec.Struct):
    method: InputMethod
    params: Fields | None = None


class _Result(msgspec.Struct, rename="camel"):
    input_requests: dict[str, _Asked] | None = None
    request_state: str | None = None


_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_result = msgspec.json.Decoder(_Result).decode
_encode = msgspec.json.Encoder().encode


def input_required(requests: Mapping[str, InputRequest], state: str | None) -> msgspec.Raw:
    """The result that asks these questions. One of the two must be there."""
    members: dict[str, object] = {"resultType": RESULT_TYPE}
    if requests:
        members["inputRequests"] = requests
    if state is not None:
        members[_STATE] = state
    return msgspec.Raw(_encode(members))


def parse_input_required(result: msgspec.Raw) -> InputRequired | None:
    """The questions in a server's result; None: it is not one of these.

    Raises:
        ProtocolFault: it is, but ill made, or it asks too much or nothing at all.
    """
    try:
        if _decode_kind(result).result_type != RESULT_TYPE:
            return None
    except (msgspec.DecodeError, RecursionError):
        return None
    try:
        read = _decode_result(result)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault(
            f"The server asks for input in a form that is none: {error}."
        ) from error
    requests = {
        name: InputRequest(one.method, None if one.params is None else pack(one.params))
        for name, one in (read.input_requests or {}).items()
    }
    if not requests and read.request_state is None:
        raise ProtocolFault("The server asks for input without saying which.")
    if len(requests) > MAX_INPUT_REQUESTS:
        refused("from_servers.MAX_INPUT_REQUESTS")
        raise ProtocolFault(f"The server asks for more than {MAX_INPUT_REQUESTS} inputs at once.")
    return InputRequired(requests, read.request_state)


def with_state(result: msgspec.Raw, state: str) -> msgspec.Raw:
    """The same result with that state instead of the server's.

    Raises:
        ProtocolFault: it is no object.
    """
    return pack({**result_fields(result), _STATE: msgspec.Raw(_encode(state))})


def input_responses(members: Mapping[str, msgspec.Raw]) -> tuple[Fields, str | None]:
    """The answers by name, and the state, in the params of a client's request; none in one that is no retry.

    Raises:
        InvalidParams: one of the two is ill-typed.
    """
    responses: Fields = {}
    state: str | None = None
    try:
        if _RESPONSES in members:
            responses = _decode_fields(members[_RESPONSES])
        if _STATE in members:
            state = _decode_text(members[_STATE])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParams(
            f"{_RESPONSES} must be an object, and {_STATE} a string, as the server gave it."
        ) from error
    return responses, state


def with_responses(
    members: Mapping[str, msgspec.Raw], responses: Mapping[str, msgspec.Raw], state: str | None
) -> Fields:
    """The params of the retry: the same as before, with the answers, and the state exactly where one was given."""
    retry = without_responses(members)
    if responses:
        retry[_RESPONSES] = pack(responses)
    if state is not None:
        retry[_STATE] = msgspec.Raw(_encode(state))
    return retry


def without_responses(members: Mapping[str, msgspec.Raw]) -> Fields:
    """The params as they were before any retry."""
    return {name: value for name, value in members.items() if name not in (_RESPONSES, _STATE)}
