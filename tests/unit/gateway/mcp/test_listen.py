"""Who hears of which change."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidParams, MissingCapability, ProtocolFault
from gateway.jsonrpc.messages import Notification, Result
from gateway.limits import MAX_SUBSCRIBED_URIS
from gateway.mcp import listen, params
from gateway.mcp.listen import Filter

Raw = msgspec.Raw

ID = "io.modelcontextprotocol/subscriptionId"
EVERYTHING = Filter(
    tools=True, prompts=True, resources=True, uris=("file:///a", "file:///d/"), tasks=("t1",)
)


def raw(value: object) -> msgspec.Raw:
    """A value as JSON text."""
    return Raw(json.dumps(value).encode())


def note(method: str, **members: Any) -> Notification:
    """A notification."""
    return Notification(f"notifications/{method}", raw(members) if members else None)


def said(message: Notification | Result) -> Any:
    """The payload as plain values."""
    payload = message.params if isinstance(message, Notification) else message.result
    return None if payload is None else json.loads(bytes(payload))


def asked(value: Any) -> Filter:
    """What a listen request with that filter asks for."""
    return listen.parse_filter(params.fields(raw({"notifications": value})))


def test_a_filter_is_read() -> None:
    """What is not said is not wanted; what is not known is left out."""
    assert asked({"toolsListChanged": True, "future": [1]}) == Filter(tools=True)
    assert asked({"resourceSubscriptions": ["file:///a"], "taskIds": ["t"]}) == Filter(
        uris=("file:///a",), tasks=("t",)
    )
    assert asked({"promptsListChanged": True, "resourcesListChanged": False}) == Filter(
        prompts=True
    )


@pytest.mark.parametrize(
    "value", [None, [], 3, {"toolsListChanged": 1}, {"resourceSubscriptions": [3]}]
)
def test_a_filter_that_is_none_is_refused(value: Any) -> None:
    """-32602."""
    with pytest.raises(InvalidParams, match="notifications"):
        asked(value)


def test_a_request_without_filter_is_refused() -> None:
    """It would never hear anything."""
    with pytest.raises(InvalidParams):
        listen.parse_filter({})


def test_tasks_are_for_clients_that_know_them() -> None:
    """-32021 that names the extension."""
    listen.check_filter(Filter(), ())
    listen.check_filter(EVERYTHING, ("io.modelcontextprotocol/tasks",))
    with pytest.raises(MissingCapability) as caught:
        listen.check_filter(EVERYTHING, ("io.modelcontextprotocol/ui",))
    assert caught.value.code == -32021
    assert caught.value.data == {
        "requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }


def test_what_can_be_honoured_is_acknowledged() -> None:
    """Each URI once, and not without bound."""
    assert listen.accepted(EVERYTHING, tasks=("t1",)) == EVERYTHING
    assert (
        listen.accepted(EVERYTHING, tools=False, prompts=False, resources=False, updates=False)
        == Filter()
    )
    many = Filter(uris=("a", "a", *(f"u{n}" for n in range(2 * MAX_SUBSCRIBED_URIS))))
    kept = listen.accepted(many).uris
    assert len(kept) == MAX_SUBSCRIBED_URIS
    assert kept[:2] == ("a", "u0")


def test_the_acknowledgement_comes_with_the_id_of_its_request() -> None:
    """It says what is honoured, and nothing else."""
    message = listen.acknowledged(1, Filter(tools=True, uris=("a",)))
    assert message.method == "notifications/subscriptions/acknowledged"
    assert said(message) == {
        "notifications": {"toolsListChanged": True, "resourceSubscriptions": ["a"]},
        "_meta": {ID: 1},
    }
    assert said(listen.acknowledged("x", Filter())) == {"notifications": {}, "_meta": {ID: "x"}}
    assert listen.parse_acknowledged(message) == Filter(tools=True, uris=("a",))


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (note("tools/list_changed"), "tools"),
        (note("prompts/list_changed"), "prompts"),
        (note("resources/list_changed"), "resources"),
        (note("resources/updated", uri="file:///a"), "uris"),
        (note("resources/updated", uri="file:///a/b"), "uris"),
        (note("resources/updated", uri="file:///d/e"), "uris"),
        (note("tasks", taskId="t1"), "tasks"),
    ],
)
def test_a_listener_hears_of_what_it_asked_for(message: Notification, field: str) -> None:
    """And of nothing else."""
    assert EVERYTHING.wants(message)
    without: dict[str, Any] = {name: getattr(EVERYTHING, name) for name in Filter.__struct_fields__}
    without[field] = type(without[field])()
    assert not Filter(**without).wants(message)


@pytest.mark.parametrize(
    "message",
    [
        note("message", level="info", data=1),
        note("progress", progressToken=1, progress=1),
        note("resources/updated", uri="file:///ab"),
        note("resources/updated", uri="file:///d"),
        note("resources/updated"),
        note("resources/updated", uri=3),
        note("tasks", taskId="t2"),
        Notification("notifications/resources/updated", Raw(b"[]")),
    ],
)
def test_nobody_hears_of_what_cannot_be_asked_for(message: Notification) -> None:
    """Logs and progress belong to requests."""
    assert not EVERYTHING.wants(message)


def test_a_notification_is_tagged_for_each_listener() -> None:
    """The tag of another leg is replaced, the rest stays."""
    message = note("resources/updated", uri="a", _meta={ID: 9, "x": 1})
    assert said(listen.tagged("l1", message)) == {"uri": "a", "_meta": {ID: "l1", "x": 1}}
    assert said(listen.tagged(2, note("tools/list_changed"))) == {"_meta": {ID: 2}}


def test_a_tag_is_taken_off_for_legacy_clients() -> None:
    """An empty `_meta`, and empty params, go with it."""
    assert listen.untagged(note("tools/list_changed", _meta={ID: 9})) == note("tools/list_changed")
    both = note("resources/updated", uri="a", _meta={ID: 9, "x": 1})
    assert said(listen.untagged(both)) == {"uri": "a", "_meta": {"x": 1}}
    plain = note("resources/updated", uri="a")
    assert listen.untagged(plain) is plain


def test_a_tag_tells_the_subscription() -> None:
    """On a channel that all of them share."""
    assert listen.subscription_of(note("tools/list_changed", _meta={ID: 9})) == 9
    assert listen.subscription_of(note("tools/list_changed")) is None
    with pytest.raises(ProtocolFault, match="subscriptionId"):
        listen.subscription_of(note("tools/list_changed", _meta={ID: None}))


@pytest.mark.parametrize("broken", [b"[]", b'{"_meta":[]}'])
def test_a_notification_that_cannot_be_tagged_is_its_servers_fault(broken: bytes) -> None:
    """It goes to nobody."""
    message = Notification("notifications/tools/list_changed", Raw(broken))
    for act in (lambda m: listen.tagged(1, m), listen.untagged, listen.subscription_of):
        with pytest.raises(ProtocolFault):
            act(message)


@pytest.mark.parametrize("members", [{}, {"notifications": 3}, {"notifications": None}])
def test_an_acknowledgement_without_filter_is_its_servers_fault(members: dict[str, Any]) -> None:
    """Nothing can be relied on."""
    with pytest.raises(ProtocolFault, match="acknowledged"):
        listen.parse_acknowledged(note("subscriptions/acknowledged", **members))


def test_the_end_is_said_by_the_result() -> None:
    """On HTTP, where the stream ends with it."""
    (result,) = listen.ended(1, server_info=Raw(b'{"name":"g"}'), shared_channel=False)
    assert isinstance(result, Result)
    assert result.id == 1
    assert said(result) == {
        "resultType": "complete",
        "_meta": {ID: 1, "io.modelcontextprotocol/serverInfo": {"name": "g"}},
    }


def test_the_end_is_said_twice_on_a_shared_channel() -> None:
    """The specification asks for both, on two pages."""
    cancelled, result = listen.ended("l", server_info=Raw(b"{}"), shared_channel=True)
    assert isinstance(cancelled, Notification)
    assert (cancelled.method, said(cancelled)) == ("notifications/cancelled", {"requestId": "l"})
    assert isinstance(result, Result)


def test_a_server_is_asked_for_what_all_listeners_want() -> None:
    """Each URI and task once."""
    merged = listen.merged(
        [Filter(tools=True, uris=("a", "b")), Filter(prompts=True, uris=("b",), tasks=("t",))]
    )
    assert merged == Filter(tools=True, prompts=True, uris=("a", "b"), tasks=("t",))
    assert listen.parse_filter(listen.listen_params(merged)) == merged
    assert listen.merged([]) == Filter()
