"""What servers ask of clients, crossing eras."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidParams
from gateway.jsonrpc.messages import Failure
from gateway.mcp import questions
from gateway.mcp.input_required import InputMethod, InputRequest

Raw = msgspec.Raw

NEW, MODERN = "2025-11-25", "2026-07-28"


def raw(value: object) -> msgspec.Raw:
    """A value as JSON text."""
    return Raw(json.dumps(value).encode())


def value(text: msgspec.Raw | None) -> Any:
    """The plain value."""
    return None if text is None else json.loads(bytes(text))


def asked(method: InputMethod, **members: Any) -> InputRequest:
    """A question."""
    return InputRequest(method, raw(members) if members else None)


def able(**capabilities: Any) -> dict[str, msgspec.Raw]:
    """A client's capabilities."""
    return {name: raw(one) for name, one in capabilities.items()}


def test_a_legacy_request_becomes_a_question() -> None:
    """Without what only legacy legs know."""
    question = questions.to_modern(
        "elicitation/create",
        raw(
            {
                "mode": "url",
                "url": "https://example.com",
                "elicitationId": "e1",
                "task": {"ttl": 1},
                "_meta": {
                    "progressToken": 3,
                    "io.modelcontextprotocol/related-task": {"taskId": "t"},
                    "x": 1,
                },
            }
        ),
    )
    assert question is not None
    assert question.method == "elicitation/create"
    assert value(question.params) == {
        "mode": "url",
        "url": "https://example.com",
        "_meta": {"x": 1},
    }


def test_an_empty_meta_is_not_carried() -> None:
    """Nor params that were not there."""
    bare = questions.to_modern("roots/list", raw({"_meta": {"progressToken": 1}}))
    assert bare is not None
    assert value(bare.params) == {}
    assert questions.to_modern("roots/list", None) == InputRequest("roots/list")
    odd = questions.to_modern("sampling/createMessage", raw({"_meta": 3, "maxTokens": 1}))
    assert odd is not None
    assert value(odd.params) == {"maxTokens": 1}


def test_other_requests_are_no_questions() -> None:
    """`ping` is answered by the gateway."""
    assert questions.to_modern("ping", None) is None
    with pytest.raises(InvalidParams):
        questions.to_modern("roots/list", Raw(b"[]"))


def test_a_link_gets_an_id_for_legacy_clients() -> None:
    """All else is put as it was asked."""
    link = asked("elicitation/create", mode="url", url="https://example.com")
    assert value(questions.to_legacy(link, elicitation_id="e1")) == {
        "mode": "url",
        "url": "https://example.com",
        "elicitationId": "e1",
    }
    form = asked("elicitation/create", message="m")
    assert questions.to_legacy(form, elicitation_id="e1") is form.params
    assert questions.to_legacy(asked("roots/list"), elicitation_id="e1") is None
    broken = InputRequest("elicitation/create", Raw(b"[]"))
    assert questions.to_legacy(broken, elicitation_id="e1") is broken.params


def test_an_error_that_wants_links_opened_becomes_questions() -> None:
    """The client calls again when they are."""
    data = raw({"elicitations": [{"url": "u", "message": "m", "elicitationId": "e"}, {"url": "v"}]})
    found = questions.from_failure(Failure(1, -32042, "m", data))
    assert found is not None
    assert {name: value(one.params) for name, one in found.items()} == {
        "link1": {"url": "u", "message": "m", "mode": "url"},
        "link2": {"url": "v", "mode": "url"},
    }
    assert {one.method for one in found.values()} == {"elicitation/create"}


@pytest.mark.parametrize(
    "failure",
    [
        Failure(1, -32602, "m", Raw(b'{"elicitations":[{}]}')),
        Failure(1, -32042, "m"),
        Failure(1, -32042, "m", Raw(b"{}")),
        Failure(1, -32042, "m", Raw(b'{"elicitations":[]}')),
        Failure(1, -32042, "m", Raw(b'{"elicitations":[3]}')),
    ],
)
def test_other_errors_want_nothing_opened(failure: Failure) -> None:
    """They stay errors."""
    assert questions.from_failure(failure) is None


@pytest.mark.parametrize(
    ("question", "capabilities", "needed"),
    [
        (asked("roots/list"), able(roots={}), None),
        (asked("roots/list"), able(), {"roots": {}}),
        (asked("sampling/createMessage", maxTokens=1), able(sampling={}), None),
        (asked("sampling/createMessage"), able(sampling={}), None),
        (asked("sampling/createMessage"), able(), {"sampling": {}}),
        (asked("sampling/createMessage", tools=[]), able(sampling={"tools": {}}), None),
        (asked("sampling/createMessage", tools=[]), able(sampling={}), {"sampling": {"tools": {}}}),
        (asked("sampling/createMessage", toolChoice={}), able(sampling=3), {"sampling": {"tools": {}}}),
        (asked("elicitation/create"), able(elicitation={}), None),
        (asked("elicitation/create", mode="form"), able(elicitation={"form": {}}), None),
        (asked("elicitation/create", mode=3), able(elicitation={"form": {}}), None),
        (asked("elicitation/create"), able(elicitation={"url": {}}), {"elicitation": {"form": {}}}),
        (asked("elicitation/create"), able(), {"elicitation": {"form": {}}}),
        (asked("elicitation/create", mode="url"), able(elicitation={"url": {}}), None),
        (asked("elicitation/create", mode="url"), able(elicitation={}), {"elicitation": {"url": {}}}),
        (asked("elicitation/create", mode="url"), able(), {"elicitation": {"url": {}}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", [NEW, MODERN])
def test_clients_are_asked_what_they_declared(
    question: InputRequest,
    capabilities: dict[str, msgspec.Raw],
    needed: dict[str, Any] | None,
    version: str,
) -> None:
    """Else the error names what is missing."""
    assert questions.missing(question, capabilities, version=version) == needed


@pytest.mark.parametrize(
    ("version", "form", "link"),
    [
        (NEW, True, True),
        ("2025-06-18", True, False),
        ("2025-03-26", False, False),
        ("nonsense", False, False),
    ],
)
def test_clients_are_not_asked_what_their_revision_does_not_have(
    version: str, *, form: bool, link: bool
) -> None:
    """Whatever they declare."""
    declared = able(elicitation={"form": {}, "url": {}})
    assert (
        questions.missing(asked("elicitation/create"), declared, version=version) is None
    ) is form
    url = asked("elicitation/create", mode="url")
    assert (questions.missing(url, declared, version=version) is None) is link


def test_where_nobody_can_answer_the_server_is_told_so() -> None:
    """For sampling, only an error says it."""
    assert value(questions.no_answer("elicitation/create")) == {"action": "cancel"}
    assert value(questions.no_answer("roots/list")) == {"roots": []}
    assert questions.no_answer("sampling/createMessage") is None
