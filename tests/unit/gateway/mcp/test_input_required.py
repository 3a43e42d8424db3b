"""Questions within results, and the retry that answers them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidParams, ProtocolFault
from gateway.limits import MAX_INPUT_REQUESTS
from gateway.mcp import params
from gateway.mcp.input_required import (
    InputRequest,
    InputRequired,
    input_required,
    input_responses,
    parse_input_required,
    with_responses,
    without_responses,
)

Raw = msgspec.Raw

ROOTS = InputRequest("roots/list")
FORM = InputRequest("elicitation/create", Raw(b'{"message":"m"}'))


def raw(value: object) -> msgspec.Raw:
    """A value as JSON text."""
    return Raw(json.dumps(value).encode())


def plain(members: params.Fields) -> Any:
    """Fields as plain values."""
    return json.loads(bytes(params.pack(members)))


def test_questions_are_written() -> None:
    """Requests without id, by name."""
    assert json.loads(bytes(input_required({"a": FORM, "b": ROOTS}, "s"))) == {
        "resultType": "input_required",
        "inputRequests": {
            "a": {"method": "elicitation/create", "params": {"message": "m"}},
            "b": {"method": "roots/list"},
        },
        "requestState": "s",
    }


@pytest.mark.parametrize(
    "asked", [InputRequired({"a": FORM, "b": ROOTS}, "s"), InputRequired({}, ""), InputRequired({"a": ROOTS})]
)  # fmt: skip
def test_what_is_written_is_read(asked: InputRequired) -> None:
    """Either member may be left out."""
    assert parse_input_required(input_required(asked.requests, asked.state)) == asked


@pytest.mark.parametrize(
    "result",
    [b"{}", b"[]", b'{"resultType":"complete"}', b'{"resultType":3}', b'{"x":' + b"[" * 99_999],
)
def test_other_results_ask_nothing(result: bytes) -> None:
    """They are for somebody else to judge."""
    assert parse_input_required(Raw(result)) is None


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "without saying which"),
        ({"inputRequests": {}}, "without saying which"),
        ({"inputRequests": [], "requestState": "s"}, "form that is none"),
        ({"inputRequests": {"a": {"method": "ping"}}}, "form that is none"),
        ({"inputRequests": {"a": {}}}, "form that is none"),
        ({"requestState": 3}, "form that is none"),
        pytest.param(
            {"inputRequests": {str(n): {"method": "roots/list"} for n in range(MAX_INPUT_REQUESTS + 1)}},
            "more than",
            marks=pytest.mark.refuses("from_servers.MAX_INPUT_REQUESTS"),
        ),
    ],
)  # fmt: skip
def test_ill_made_questions_are_the_servers_fault(members: dict[str, Any], reason: str) -> None:
    """Its call fails."""
    with pytest.raises(ProtocolFault, match=reason):
        parse_input_required(raw({"resultType": "input_required", **members}))


def test_answers_are_read() -> None:
    """Known by their names."""
    members = params.fields(raw({"a": 1, "inputResponses": {"k": {"x": 1}}, "requestState": "s"}))
    responses, state = input_responses(members)
    assert plain(responses) == {"k": {"x": 1}}
    assert state == "s"
    assert input_responses({}) == ({}, None)
    assert plain(without_responses(members)) == {"a": 1}


@pytest.mark.parametrize(
    "members", [{"inputResponses": []}, {"inputResponses": None}, {"requestState": 3}]
)
def test_ill_typed_answers_are_refused(members: dict[str, Any]) -> None:
    """-32602."""
    with pytest.raises(InvalidParams, match="inputResponses"):
        input_responses(params.fields(raw(members)))


def test_a_retry_has_the_same_params_and_the_answers() -> None:
    """The state goes back exactly where one was given."""
    members = params.fields(raw({"a": 1, "requestState": "old", "inputResponses": {"o": 1}}))
    retry = with_responses(members, {"k": Raw(b'{"x":1}')}, 'n"')
    assert plain(retry) == {"a": 1, "inputResponses": {"k": {"x": 1}}, "requestState": 'n"'}
    assert input_responses(retry) == ({"k": Raw(b'{"x":1}')}, 'n"')
    assert plain(with_responses(members, {}, None)) == {"a": 1}
