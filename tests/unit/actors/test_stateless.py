"""Modern clients on servers of the older era: discovery, lists, calls, questions, subscriptions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway import limits
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Request
from gateway.ports import ANYONE, LOCAL, Principal
from tests.fakes.house import FakeBackend
from tests.fakes.server import FakeServer, raw
from tests.unit.actors.test_session import Stream, World, capable

PREFIX = "io.modelcontextprotocol/"


@pytest.fixture
def world(
    nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path
) -> Callable[..., Awaitable[World]]:
    """Builds worlds."""

    async def build(**more: Any) -> World:
        house = World(nursery, tmp_path, **more)
        await wait_all_tasks_blocked()
        return house

    return build


class Modern:
    """A modern client: each request says everything."""

    def __init__(self, house: World, principal: Principal = LOCAL, **capabilities: Any) -> None:
        self._registry = house.registry
        self._principal = principal
        self._capabilities = capabilities
        self._last = 0

    def ask(self, method: str, /, *, level: str = "", **fields: Any) -> Stream:
        """Sends a request; its answer arrives in the stream, whose `cancel` takes it back."""
        self._last += 1
        meta: dict[str, Any] = {
            f"{PREFIX}protocolVersion": "2026-07-28",
            f"{PREFIX}clientCapabilities": self._capabilities,
            **({f"{PREFIX}logLevel": level} if level else {}),
        }
        stream = Stream()
        params = raw({**fields, "_meta": {**meta, **fields.get("_meta", {})}})
        stream.cancel = self._registry.serve_stateless(  # type: ignore[attr-defined]
            Request(self._last, method, params),
            principal=self._principal,
            transport="test",
            outlet=stream,
        )
        return stream


async def test_discovery(world: Callable[..., Awaitable[World]], autojump_clock: MockClock) -> None:
    """The gateway's own answer: modern revisions, capabilities, identity, cache fields."""
    house = await world()
    result = Modern(house).ask("server/discover").answer["result"]
    assert result["supportedVersions"] == ["2026-07-28"]
    assert result["resultType"] == "complete"
    assert result["cacheScope"] == "private"
    assert result["_meta"][f"{PREFIX}serverInfo"]["name"] == "mcpgw"
    assert result["capabilities"]["resources"]["subscribe"] is True


async def test_requests_that_say_too_little_are_refused(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """Missing `_meta`, unknown revisions, methods of the older era: each has its code."""
    house = await world()
    stream = Stream()
    house.registry.serve_stateless(
        Request(1, "tools/list", raw({})), principal=LOCAL, transport="test", outlet=stream
    )
    assert stream.answer["error"]["code"] == -32602
    client = Modern(house)
    other = client.ask("tools/list", _meta={f"{PREFIX}protocolVersion": "1999-01-01"})
    assert other.answer["error"]["code"] == -32022
    assert other.answer["error"]["data"]["supported"] == ["2026-07-28"]
    for method in ("ping", "initialize", "logging/setLevel", "resources/subscribe"):
        assert client.ask(method, uri="x://1").answer["error"]["code"] == -32601


async def test_lists_have_cache_fields_and_no_execution(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """What only the older era knows is taken off each item."""
    house = await world()
    tool = {
        "name": "t",
        "inputSchema": {"type": "object"},
        "execution": {"taskSupport": "optional"},
    }
    house.serve("one", FakeBackend(lambda: FakeServer(tool)))
    stream = Modern(house).ask("tools/list")
    await wait_all_tasks_blocked()
    result = stream.answer["result"]
    assert result["tools"] == [{"name": "t", "inputSchema": {"type": "object"}}]
    assert (result["ttlMs"], result["cacheScope"], result["resultType"]) == (
        0,
        "private",
        "complete",
    )


async def test_a_call_reaches_a_server_that_knows_no_meta(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """What the request says of its client stays here; the result is complete, in the gateway's name."""
    house = await world()
    backend = FakeBackend()
    house.serve("one", backend)
    stream = Modern(house).ask("tools/call", name="echo", arguments={"x": 1})
    await wait_all_tasks_blocked()
    result = stream.answer["result"]
    assert result["resultType"] == "complete"
    assert result["content"][0]["text"] == "fake says hello"
    sent = backend.opened[-1].requests("tools/call")[0]
    assert bytes(sent.params or b"") == b'{"name":"echo","arguments":{"x":1}}'


async def test_questions_end_a_round_and_answers_begin_the_next(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """The server's call stays open meanwhile: it is one call for it, two requests for the client."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = Modern(house, elicitation={"form": {}})
    first = client.ask("tools/call", name="echo", arguments={})
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    server.ask(Request("s", "elicitation/create", raw({"message": "sure?"})))
    await trio.sleep(1)
    asked = first.answer["result"]
    assert asked["resultType"] == "input_required"
    first.cancel()  # type: ignore[attr-defined] # the connection of a round that is over may close
    ((name, question),) = asked["inputRequests"].items()
    assert question == {"method": "elicitation/create", "params": {"message": "sure?"}}
    second = client.ask(
        "tools/call",
        name="echo",
        arguments={},
        requestState=asked["requestState"],
        inputResponses={name: {"action": "accept"}},
    )
    await wait_all_tasks_blocked()
    assert any(getattr(one, "id", None) == "s" for one in server.seen)
    server.answer(server.requests("tools/call")[0], {"content": []})
    await wait_all_tasks_blocked()
    assert second.answer["result"]["content"] == []
    assert len(server.requests("tools/call")) == 1


async def test_questions_that_are_asked_together_are_put_together(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """An old server sends them one by one, without waiting in between: its client gets them in one result."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = Modern(house, elicitation={"form": {}}, roots={})
    first = client.ask("tools/call", name="echo", arguments={})
    await wait_all_tasks_blocked()
    backend.opened[-1].ask(Request("s1", "elicitation/create", raw({"message": "?"})))
    backend.opened[-1].ask(Request("s2", "roots/list"))
    await trio.sleep(1)
    questions = first.answer["result"]["inputRequests"].values()
    assert [one["method"] for one in questions] == ["elicitation/create", "roots/list"]


@pytest.mark.refuses("to_clients.MAX_SERVER_REQUESTS")
async def test_a_server_that_asks_without_end_is_refused_at_some_point(
    world: Callable[..., Awaitable[World]],
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its client is asked what was asked before that, and the call goes on."""
    monkeypatch.setattr(limits, "MAX_SERVER_REQUESTS", 3)
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = Modern(house, roots={})
    first = client.ask("tools/call", name="echo", arguments={})
    await wait_all_tasks_blocked()
    for number in range(5):
        backend.opened[-1].ask(Request(f"s{number}", "roots/list"))
    await trio.sleep(1)
    assert len(first.answer["result"]["inputRequests"]) == 3


async def test_a_state_is_good_for_its_call_and_its_caller_only(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """Tampered, lent, or sent with other params: each is refused, and the call goes on waiting."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    mine = Modern(house, elicitation={"form": {}})
    theirs = Modern(house, ANYONE, elicitation={"form": {}})
    stream = mine.ask("tools/call", name="echo", arguments={})
    await wait_all_tasks_blocked()
    backend.opened[-1].ask(Request("s", "elicitation/create", raw({"message": "?"})))
    await trio.sleep(1)
    state = stream.answer["result"]["requestState"]
    tampered = ("A" if state[0] != "A" else "B") + state[1:]
    for client, fields in (
        (mine, {"name": "echo", "arguments": {}, "requestState": tampered}),
        (theirs, {"name": "echo", "arguments": {}, "requestState": state}),
        (mine, {"name": "echo", "arguments": {"x": 1}, "requestState": state}),
    ):
        refused = client.ask("tools/call", inputResponses={}, **fields)
        assert refused.answer["error"]["code"] == -32602
    again = mine.ask("tools/call", name="echo", arguments={}, requestState=state, inputResponses={})
    assert again.answer["result"]["resultType"] == "input_required"


async def test_a_client_that_never_comes_back_is_not_waited_for(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """The server is told, and its container freed for the next call."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = Modern(house, elicitation={"form": {}})
    client.ask("tools/call", name="echo", arguments={})
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    server.ask(Request("s", "elicitation/create", raw({"message": "?"})))
    await trio.sleep(limits.PARKED_S + 2 * limits.PARKED_SWEEP_S)
    methods = [getattr(one, "method", "") for one in server.seen]
    assert "notifications/cancelled" in methods
    assert not house.registry.desk.is_busy
    assert repr(house.registry.desk) == "<StatelessDesk calls=0 listeners=0>"


async def test_undeclared_capabilities_are_not_used(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """The server is refused; the client hears nothing of it."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    stream = Modern(house).ask("tools/call", name="echo", arguments={})
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    server.ask(Request("s", "sampling/createMessage", raw({"messages": []})))
    server.answer(server.requests("tools/call")[0], {"content": []})
    await wait_all_tasks_blocked()
    assert stream.answer["result"]["resultType"] == "complete"
    failed = Modern(house).ask("tools/call", name="echo", arguments={})
    await wait_all_tasks_blocked()
    server.ask(Request("t", "sampling/createMessage", raw({"messages": []})))
    server.answer(server.requests("tools/call")[1], {"content": [], "isError": True})
    await wait_all_tasks_blocked()
    assert failed.answer["error"]["code"] == -32021
    assert failed.answer["error"]["data"]["requiredCapabilities"] == {"sampling": {}}


async def test_log_messages_only_where_they_were_asked_for(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """And progress under the client's own token."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = Modern(house)
    for level, wanted in (("", []), ("warning", ["error"])):
        stream = client.ask("tools/call", name="echo", level=level, _meta={"progressToken": "p"})
        await wait_all_tasks_blocked()
        server = backend.opened[-1]
        request = server.requests("tools/call")[-1]
        server.notify("notifications/progress", {"progressToken": request.id, "progress": 1})
        server.notify("notifications/message", {"level": "info", "data": 1})
        server.notify("notifications/message", {"level": "error", "data": 1})
        server.answer(request, {"content": []})
        await wait_all_tasks_blocked()
        assert stream.messages[0]["params"] == {"progressToken": "p", "progress": 1}
        assert [one["params"]["level"] for one in stream.messages[1:]] == wanted


async def test_calls_of_one_caller_have_containers_of_their_own(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """One call in each at a time: what a server asks names no call. Later calls find them warm."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = Modern(house)
    for _ in range(2):
        client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    busy = [server for server in backend.running if server.requests("tools/call")]
    assert [len(server.requests("tools/call")) for server in busy] == [1, 1]
    for server in busy:
        server.answer(server.requests("tools/call")[0], {"content": []})
    await wait_all_tasks_blocked()
    client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    assert sum(len(server.requests("tools/call")) for server in busy) == 3


async def test_a_client_that_leaves_cancels(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """Where there is no session, nobody could fetch the answer."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    stream = Modern(house).ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    stream.cancel()  # type: ignore[attr-defined]
    await wait_all_tasks_blocked()
    assert stream.answers == [None]
    methods = [getattr(one, "method", "") for one in backend.opened[-1].seen]
    assert "notifications/cancelled" in methods


async def test_listeners_are_told_of_what_they_asked_for(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """First what is honoured, then the changes, each under the listener's own id."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = Modern(house)
    client.ask("tools/list")
    await trio.sleep(1)
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["x://1"]}
    stream = client.ask("subscriptions/listen", notifications=wanted)
    await trio.sleep(1)
    assert stream.messages[0]["method"] == "notifications/subscriptions/acknowledged"
    assert stream.messages[0]["params"]["notifications"] == wanted
    server = next(one for one in backend.running if one.requests("resources/subscribe"))
    server.notify("notifications/resources/updated", {"uri": "x://1"})
    await trio.sleep(1)
    house.serve("two", FakeBackend(lambda: FakeServer(name="two")))
    client.ask("tools/list")
    await trio.sleep(3)
    told = [
        (one["method"], one["params"]["_meta"][f"{PREFIX}subscriptionId"])
        for one in stream.messages
    ]
    assert told[1] == ("notifications/resources/updated", 2)
    assert ("notifications/tools/list_changed", 2) in told[2:]
    stream.cancel()  # type: ignore[attr-defined]
    assert len(stream.answers) == 1
    await trio.sleep(1)
    assert len(server.requests("resources/unsubscribe")) == 1


@pytest.mark.refuses("from_clients.MAX_STATELESS_CALLS", "from_clients.MAX_LISTENERS")
async def test_calls_lists_and_subscriptions_are_bounded(
    world: Callable[..., Awaitable[World]],
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over all clients: there is no session that could bound each."""
    monkeypatch.setattr(limits, "MAX_STATELESS_CALLS", 1)
    monkeypatch.setattr(limits, "MAX_LISTENERS", 1)
    house = await world()
    house.serve("one", FakeBackend(lambda: FakeServer(held=frozenset({"initialize"}))))
    client, other = Modern(house), Modern(house, ANYONE)
    client.ask("tools/list")
    client.ask("tools/call", name="echo", arguments={})
    client.ask("subscriptions/listen", notifications={"toolsListChanged": True})
    refusals = [
        other.ask("tools/list"),
        other.ask("tools/call", name="echo", arguments={}),
        other.ask("subscriptions/listen", notifications={"toolsListChanged": True}),
    ]
    errors = [stream.answer["error"] for stream in refusals]
    assert {error["code"] for error in errors} == {-32000}
    assert [error["message"].split()[1] for error in errors] == ["lists", "calls", "subscriptions"]


async def test_a_pipe_that_opens_modern_stays_modern(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """On stdio and WebSocket the era shows in the first request; nothing is initialized."""
    house, backend = await world(), FakeBackend()
    house.serve("one", backend)
    session = house.registry.open(LOCAL, transport="test")
    stream = Stream()
    meta = {f"{PREFIX}protocolVersion": "2026-07-28", f"{PREFIX}clientCapabilities": {}}
    request = Request(1, "tools/call", raw({"name": "echo", "_meta": meta}))
    session.receive(codec.decode(codec.encode(request)), stream)
    await wait_all_tasks_blocked()
    assert stream.answer["result"]["resultType"] == "complete"
