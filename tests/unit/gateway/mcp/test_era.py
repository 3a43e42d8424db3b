"""What is said otherwise when a message crosses eras."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.errors import ProtocolFault
from gateway.jsonrpc.messages import Failure
from gateway.mcp import era
from gateway.mcp.cache_hints import CacheHint, cache_hint, merged_hint
from gateway.mcp.methods import METHODS
from gateway.mcp.versions import LEGACY, MODERN

Raw = msgspec.Raw

INFO = Raw(b'{"name":"mcpgw","version":"0"}')
NAMED = {"io.modelcontextprotocol/serverInfo": {"name": "mcpgw", "version": "0"}}
NEW = "2025-11-25"
TASKS = "io.modelcontextprotocol/tasks"


def raw(value: object) -> msgspec.Raw:
    """A value as JSON text."""
    return Raw(json.dumps(value).encode())


def modern(method: str, result: object, **more: Any) -> Any:
    """A result as a modern client gets it."""
    return json.loads(bytes(era.result_to_modern(method, raw(result), server_info=INFO, **more)))


def legacy(method: str, result: object, version: str = NEW) -> Any:
    """A result as a legacy client gets it."""
    return json.loads(bytes(era.result_to_legacy(method, raw(result), version=version)))


def test_each_method_of_one_era_says_what_becomes_of_it() -> None:
    """None is forgotten when a revision is added."""
    one_era = {
        row.name
        for row in METHODS.values()
        if row.exists_in(LEGACY[0]) is not row.exists_in(MODERN[0])
    }
    assert set(era.ONE_ERA) == one_era


def test_a_legacy_result_is_complete_and_ours() -> None:
    """Its own fields stay."""
    assert modern("tools/call", {"content": [{"type": "text"}], "_meta": {"x": 1}}) == {
        "content": [{"type": "text"}],
        "resultType": "complete",
        "_meta": {"x": 1, **NAMED},
    }


@pytest.mark.parametrize("method", sorted(era.CACHEABLE))
def test_a_result_that_may_be_kept_says_for_how_long(method: str) -> None:
    """Not at all, unless somebody knows better."""
    whole: dict[str, Any] = {"contents": []} if method == "resources/read" else {}
    assert modern(method, whole)["ttlMs"] == 0
    assert modern(method, whole)["cacheScope"] == "private"
    kept = {**whole, "ttlMs": 1, "cacheScope": "private"}
    hinted = modern(method, kept, hint=CacheHint(9, private=False))
    assert (hinted["ttlMs"], hinted["cacheScope"]) == (9, "public")
    said = modern(method, {**whole, "ttlMs": 5, "cacheScope": "public"})
    assert (said["ttlMs"], said["cacheScope"]) == (5, "public")


def test_other_results_are_not_kept() -> None:
    """Nor are those that are not complete."""
    assert "ttlMs" not in modern("tools/call", {"content": []})
    asked = modern("resources/read", {"resultType": "input_required", "requestState": "s"})
    assert asked == {"resultType": "input_required", "requestState": "s", "_meta": NAMED}


def test_a_modern_result_passes() -> None:
    """Only its server's name is ours."""
    result = {"resultType": "complete", "messages": [], "_meta": {"x": 1}}
    named = {**result, "_meta": {"x": 1, **NAMED}}
    assert modern("prompts/get", result) == named


def test_content_is_added_where_a_server_left_it_out() -> None:
    """All revisions ask for it, and clients refuse the result without."""
    assert modern("tools/call", {"structuredContent": 3})["content"] == []
    assert legacy("tools/call", {"structuredContent": {}}) == {
        "content": [],
        "structuredContent": {},
    }
    asked = modern("tools/call", {"resultType": "input_required", "requestState": "s"})
    assert "content" not in asked


def test_a_task_is_for_clients_that_know_tasks() -> None:
    """Nobody else could fetch it."""
    task = {"resultType": "task", "taskId": "t", "status": "working"}
    assert modern("tools/call", task, extensions=(TASKS,))["taskId"] == "t"
    with pytest.raises(ProtocolFault, match="unexpected type"):
        modern("tools/call", task)
    with pytest.raises(ProtocolFault, match="unexpected type"):
        modern("prompts/get", task, extensions=(TASKS,))


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("tools/call", {"resultType": "future"}),
        ("tools/list", {"resultType": "input_required", "requestState": "s"}),
        ("tools/call", {"resultType": 3}),
        ("tools/call", {"resultType": None}),
        ("tools/call", []),
    ],
)
def test_a_result_that_no_modern_client_understands_is_refused(method: str, result: Any) -> None:
    """The server is at fault."""
    with pytest.raises(ProtocolFault):
        modern(method, result)


@pytest.mark.parametrize("convert", [modern, legacy])
@pytest.mark.parametrize(
    ("method", "result", "member"),
    [
        ("tools/call", {"content": 7}, "content"),
        ("tools/call", {"content": {"type": "text"}}, "content"),
        ("prompts/get", {}, "messages"),
        ("prompts/get", {"messages": "hello"}, "messages"),
        ("resources/read", {"contents": None}, "contents"),
        ("completion/complete", {"completion": ["a"]}, "completion"),
        ("tools/call", {"content": [], "isError": "yes"}, "isError"),
        ("prompts/get", {"messages": [], "description": 7}, "description"),
    ],
)
def test_a_result_without_what_every_revision_asks_for_is_refused(
    convert: Callable[[str, object], Any], method: str, result: Any, member: str
) -> None:
    """Clients refuse it without a word on whose fault it is."""
    with pytest.raises(ProtocolFault, match=member):
        convert(method, result)


@pytest.mark.parametrize("said", [3, None, "x", [], True])
def test_a_meta_that_is_no_object_is_left_out(said: Any) -> None:
    """The result is good without: nobody could read it, and its server has done the work."""
    result = {"content": [], "_meta": said}
    assert legacy("tools/call", result) == {"content": []}
    assert modern("tools/call", result)["_meta"] == NAMED


def test_null_is_nothing() -> None:
    """Some servers write members that they do not use; clients know null nowhere."""
    written = {"messages": [], "description": None}
    assert legacy("prompts/get", written) == {"messages": []}
    assert "description" not in modern("prompts/get", written)


def test_what_lies_within_a_result_is_the_servers_own() -> None:
    """Blocks of any kind cross: a client may know some that no revision has."""
    content = [{"type": "hologram"}, 7]
    assert modern("tools/call", {"content": content})["content"] == content
    assert legacy("tools/call", {"content": content})["content"] == content


def test_a_modern_result_leaves_behind_what_is_modern() -> None:
    """An empty `_meta` goes, other keys stay."""
    assert legacy(
        "tools/list",
        {"tools": [], "resultType": "complete", "ttlMs": 1, "cacheScope": "public", "_meta": NAMED},
    ) == {"tools": []}
    assert legacy("prompts/get", {"messages": [], "ttlMs": 1, "_meta": {"x": 1, **NAMED}}) == {
        "messages": [],
        "ttlMs": 1,
        "_meta": {"x": 1},
    }
    assert legacy("prompts/get", {"messages": [], "_meta": {}}) == {"messages": [], "_meta": {}}


@pytest.mark.parametrize("structured", [3, "x", [1], None, True])
def test_only_objects_are_structured_content_for_legacy_clients(structured: Any) -> None:
    """The text of it remains."""
    text = {"type": "text", "text": "3"}
    assert legacy("tools/call", {"content": [text], "structuredContent": structured}) == {
        "content": [text]
    }
    kept = {"content": [], "structuredContent": {"a": 1}}
    assert legacy("tools/call", kept) == kept


@pytest.mark.parametrize("kind", ["input_required", "task", "future", 3])
def test_what_is_not_complete_is_nothing_for_legacy_clients(kind: Any) -> None:
    """Who keeps the call goes on with it."""
    with pytest.raises(ProtocolFault):
        legacy("tools/call", {"resultType": kind})


@pytest.mark.parametrize("version", ["2024-11-05", "nonsense"])
def test_content_is_said_in_words_of_the_clients_revision(version: str) -> None:
    """Where that revision is known."""
    link = {"type": "resource_link", "name": "n", "uri": "file:///a"}
    (said,) = legacy("tools/call", {"content": [link]}, version)["content"]
    assert said == (link if version == "nonsense" else {"type": "text", "text": "n: file:///a"})


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        ({"ttlMs": 5, "cacheScope": "public"}, CacheHint(5, private=False)),
        ({"ttlMs": 5, "cacheScope": "private"}, CacheHint(5, private=True)),
        ({"ttlMs": 5, "cacheScope": "future"}, CacheHint(5, private=True)),
        ({"ttlMs": -5, "cacheScope": "public"}, CacheHint(0, private=False)),
        ({"ttlMs": 1.9, "cacheScope": "public"}, CacheHint(1, private=False)),
        ({"ttlMs": "5", "cacheScope": "public"}, CacheHint()),
        ({"ttlMs": 5}, CacheHint()),
        ({}, CacheHint()),
    ],
)
def test_a_servers_hint_is_read(result: dict[str, Any], hint: CacheHint) -> None:
    """What cannot be used keeps nothing."""
    assert cache_hint({name: raw(value) for name, value in result.items()}) == hint


def test_a_list_of_several_servers_is_as_good_as_the_worst_of_them() -> None:
    """The shortest time; private where one is."""
    public = CacheHint(5, private=False)
    assert merged_hint([public, CacheHint(9, private=False)]) == public
    assert merged_hint([public, CacheHint(9)]) == CacheHint(5)
    assert merged_hint([]) == CacheHint()


@pytest.mark.parametrize(
    ("failure", "uri", "expected"),
    [
        (Failure(1, -32002, "m"), "file:///a", Failure(1, -32602, "m", Raw(b'{"uri":"file:///a"}'))),
        (Failure(1, -32002, "m", Raw(b'{"uri":"b","x":1}')), "a", Failure(1, -32602, "m", Raw(b'{"uri":"b","x":1}'))),
        (Failure(1, -32002, "m", Raw(b'{"x":1}')), "a", Failure(1, -32602, "m", Raw(b'{"x":1,"uri":"a"}'))),
        (Failure(1, -32002, "m", Raw(b'"x"')), "a", Failure(1, -32602, "m", Raw(b'{"uri":"a"}'))),
        (Failure(1, -32002, "m"), None, Failure(1, -32602, "m")),
        (Failure(1, -32042, "m"), None, Failure(1, -32021, "m", Raw(b'{"requiredCapabilities":{"elicitation":{"url":{}}}}'))),
        (Failure(1, -32020, "m", Raw(b"1")), None, Failure(1, -32603, "m")),
        (Failure(1, -32022, "m", Raw(b'{"supported":[]}')), None, Failure(1, -32603, "m")),
        (Failure(1, -32050, "m"), None, Failure(1, -32603, "m")),
        (Failure(1, -32099, "m"), None, Failure(1, -32603, "m")),
        (Failure(1, -32021, "m"), None, Failure(1, -32603, "m")),
        (Failure(1, -32021, "m", Raw(b'{"requiredCapabilities":3}')), None, Failure(1, -32603, "m")),
    ],
)  # fmt: skip
def test_errors_are_said_in_modern_codes(
    failure: Failure, uri: str | None, expected: Failure
) -> None:
    """Codes that only the specification may use are never a server's own."""
    assert era.failure_to_modern(failure, uri=uri) == expected


@pytest.mark.parametrize(
    "failure",
    [
        Failure(1, -32602, "m", Raw(b"1")),
        Failure(1, -32000, "m"),
        Failure(1, -32019, "m"),
        Failure(1, -32100, "m"),
        Failure(1, 7, "m"),
        Failure(1, -32021, "m", Raw(b'{"requiredCapabilities":{"roots":{}}}')),
    ],
)
def test_errors_that_both_eras_have_pass(failure: Failure) -> None:
    """As they came; a modern server tells its client what to declare."""
    assert era.failure_to_modern(failure) is failure


@pytest.mark.parametrize(
    ("failure", "method", "expected"),
    [
        (Failure(1, -32020, "m", Raw(b"1")), "tools/call", Failure(1, -32603, "m")),
        (Failure(1, -32021, "m", Raw(b"1")), "tools/call", Failure(1, -32602, "m")),
        (Failure(1, -32022, "m", Raw(b"1")), "tools/call", Failure(1, -32603, "m")),
        (Failure(1, -32602, "m", Raw(b'{"uri":"a"}')), "resources/read", Failure(1, -32002, "m", Raw(b'{"uri":"a"}'))),
        (Failure(1, -32602, "m", Raw(b'{"uri":"a"}')), "tools/call", Failure(1, -32602, "m", Raw(b'{"uri":"a"}'))),
        (Failure(1, -32602, "m"), "resources/read", Failure(1, -32602, "m")),
        (Failure(1, -32000, "m"), "resources/read", Failure(1, -32000, "m")),
    ],
)  # fmt: skip
def test_errors_are_said_in_legacy_codes(failure: Failure, method: str, expected: Failure) -> None:
    """Modern ones never reach a legacy client."""
    assert era.failure_to_legacy(failure, method) == expected
