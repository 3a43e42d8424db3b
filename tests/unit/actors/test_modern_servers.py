"""Servers of the modern era: found out, stamped, asked in rounds, listened to; behind clients of both eras."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway import limits
from gateway.errors import Gone
from gateway.home import Home
from gateway.jsonrpc.messages import Failure, Message, Request, Result
from gateway.ports import ANYONE
from tests.fakes.house import FakeBackend
from tests.fakes.modern_server import PREFIX, ModernServer
from tests.fakes.server import FakeServer, raw
from tests.unit.actors.test_session import World
from tests.unit.actors.test_stateless import Modern

Build = Callable[..., Awaitable[World]]
QUESTION = {"method": "elicitation/create", "params": {"message": "name?", "mode": "form"}}


@pytest.fixture
def world(nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path) -> Build:
    """Builds worlds."""

    async def build(**more: Any) -> World:
        house = World(nursery, tmp_path, **more)
        await wait_all_tasks_blocked()
        return house

    return build


def asking(state: str | None = "theirs", **questions: Any) -> Callable[[], ModernServer]:
    """A server whose tool asks these, and then says what it was answered."""

    def make() -> ModernServer:
        server = ModernServer()

        def call(request: Request) -> Message:
            params = json.loads(bytes(request.params or b"{}"))
            if "inputResponses" in params or "requestState" in params:
                text = json.dumps([params.get("inputResponses"), params.get("requestState")])
                body: dict[str, Any] = {"resultType": "complete", "content": [{"text": text}]}
            else:
                body = {"resultType": "input_required", "inputRequests": questions}
                body |= {} if state is None else {"requestState": state}
            return Result(request.id, raw(body))

        server.scripts["tools/call"] = call
        return server

    return make


# --- which era --------------------------------------------------------------------------------------------------


async def test_a_legacy_client_reaches_a_modern_server(
    world: Build, autojump_clock: MockClock
) -> None:
    """It refuses the handshake and says why: it is asked as a modern one, on the same connection."""
    house, backend = await world(), FakeBackend(ModernServer)
    pool = house.serve("one", backend)
    client = house.client(sampling={})
    listed = client.ask("tools/list")
    called = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert [one["name"] for one in listed.answer["result"]["tools"]] == ["echo"]
    assert called.answer["result"] == {"content": [{"type": "text", "text": "fake says hello"}]}
    assert (pool.spoken.legacy, pool.spoken.modern) == (False, True)
    assert isinstance(backend.opened[-1], ModernServer)
    stamp = backend.opened[-1].stamps("tools/call")[0]
    assert stamp[f"{PREFIX}clientCapabilities"] == {"sampling": {}}
    assert stamp[f"{PREFIX}clientInfo"]["name"] == "mcpgw"


async def test_a_server_that_only_a_modern_client_asks_for_never_sees_the_handshake(
    world: Build, autojump_clock: MockClock
) -> None:
    """Neither for its lists nor for calls: some refuse clients that try."""
    house, backend = await world(), FakeBackend(ModernServer)
    house.serve("one", backend)
    listed = Modern(house).ask("tools/list")
    called = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert [one["name"] for one in listed.answer["result"]["tools"]] == ["echo"]
    assert "result" in called.answer
    assert not any(server.requests("initialize") for server in backend.opened)


async def test_a_server_that_takes_the_handshake_and_means_another_era_is_found_out(
    world: Build, autojump_clock: MockClock
) -> None:
    """It answers `initialize` with a revision that has none."""

    def make() -> ModernServer:
        server = ModernServer()
        server.scripts["initialize"] = lambda request: Result(
            request.id, raw({"protocolVersion": "2026-07-28", "capabilities": {}})
        )
        return server

    house, backend = await world(), FakeBackend(make)
    pool = house.serve("one", backend)
    called = house.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert "result" in called.answer
    assert (pool.spoken.legacy, pool.spoken.modern) == (False, True)


@pytest.mark.parametrize(("refusals", "served"), [(1, True), (2, False)])
async def test_a_revision_that_is_refused_and_offered_is_tried_once_more(
    world: Build, autojump_clock: MockClock, refusals: int, *, served: bool
) -> None:
    """Once."""

    def make() -> ModernServer:
        server = ModernServer()

        def discover(request: Request) -> Message | None:
            if len(server.requests("server/discover")) > refusals:
                return server._answer(request)
            data = raw({"supported": ["2026-07-28"], "requested": "2026-07-28"})
            return Failure(request.id, -32022, "not today", data)

        server.scripts["server/discover"] = discover
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    called = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert ("result" in called.answer) is served


async def test_what_was_found_out_is_kept(
    world: Build, autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """A later gateway does not try the handshake again."""
    house = await world()
    house.serve("one", FakeBackend(ModernServer))
    house.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    kept = trio.Path(Home(tmp_path).lists("one-spec-1", "modern"))
    while not await kept.exists():  # noqa: ASYNC110 -- a thread writes it
        await trio.sleep(0.01)
    later, backend = World(nursery, tmp_path), FakeBackend(ModernServer)
    await wait_all_tasks_blocked()
    pool = later.serve("one", backend)
    pool._parts._recall = lambda: later.listings.spoken("one")
    later.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert not backend.opened[0].requests("initialize")


async def test_a_process_that_is_locked_to_the_wrong_era_is_started_anew(
    world: Build, autojump_clock: MockClock
) -> None:
    """Some servers are of the era of their first request, even one that they refuse."""

    def make() -> ModernServer:
        server = ModernServer()
        server.scripts["server/discover"] = lambda request: (
            Failure(request.id, -32600, "locked")
            if server.requests("initialize")
            else server._answer(request)
        )
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    called = house.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert called.answer["result"]["content"][0]["text"] == "fake says hello"
    assert backend.opened[0].is_closed


async def test_a_server_that_dies_of_the_probe_gets_the_handshake(
    world: Build, autojump_clock: MockClock
) -> None:
    """Some legacy servers exit on anything before `initialize`. They are asked once, and never again."""

    def make() -> FakeServer:
        server = FakeServer()

        def die(_request: Request) -> None:
            server.die("thread 'main' panicked")

        server.scripts["server/discover"] = die
        return server

    house, backend = await world(), FakeBackend(make)
    pool = house.serve("one", backend)
    answer = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert answer.answer["result"]["content"][0]["text"] == "fake says hello"
    assert pool.spoken.modern is False


async def test_a_server_that_never_answers_the_probe_gets_the_handshake(
    world: Build, autojump_clock: MockClock
) -> None:
    """Silence is no modern server's way; the patience is the probe's, and not the whole start's."""
    house = await world()
    backend = FakeBackend(lambda: FakeServer(held=frozenset({"server/discover"})))
    house.serve("one", backend)
    answer = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(limits.PROBE_S + 1)
    assert answer.answer["result"]["content"][0]["text"] == "fake says hello"


async def test_a_modern_server_of_another_revision_is_named(
    world: Build, autojump_clock: MockClock
) -> None:
    """It is never tried as a legacy one, and the error says what it speaks."""

    def make() -> FakeServer:
        server = FakeServer()
        data = raw({"supported": ["2030-01-01"], "requested": "2026-07-28"})
        server.scripts["server/discover"] = lambda one: Failure(one.id, -32022, "no", data)
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    answer = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert "2030-01-01" in answer.answer["error"]["message"]
    assert not backend.opened[-1].requests("initialize")


# --- modern client, modern server -------------------------------------------------------------------------------


async def test_a_modern_server_is_told_of_each_client(
    world: Build, autojump_clock: MockClock
) -> None:
    """One server for all calls of a caller, each with its own client's capabilities, extensions and log level."""
    house, backend = await world(), FakeBackend(ModernServer)
    house.serve("one", backend)
    Modern(house, roots={}).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    able = Modern(house, sampling={}, extensions={"x/y": {}})
    able.ask("tools/call", level="info", name="echo", arguments={"a": 1})
    await trio.sleep(1)
    (server,) = [one for one in backend.running if one.requests("tools/call")]
    assert isinstance(server, ModernServer)
    plain, rich = server.stamps("tools/call")
    assert plain[f"{PREFIX}clientCapabilities"] == {"roots": {}}
    assert rich[f"{PREFIX}clientCapabilities"] == {"sampling": {}, "extensions": {"x/y": {}}}
    assert rich[f"{PREFIX}logLevel"] == "info"
    assert f"{PREFIX}logLevel" not in plain


async def test_questions_pass_with_the_servers_state_sealed(
    world: Build, autojump_clock: MockClock
) -> None:
    """Names and questions are the server's own; its state comes back to it, and to nobody else."""
    house, backend = await world(), FakeBackend(asking(user_name=QUESTION))
    house.serve("one", backend)
    client = Modern(house, elicitation={})
    first = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    asked = first.answer["result"]
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"] == {"user_name": QUESTION}
    assert "theirs" not in asked["requestState"]
    answers = {"user_name": {"action": "accept", "content": {"name": "Ann"}}}
    retry = {"name": "echo", "arguments": {}, "requestState": asked["requestState"]}
    theirs = Modern(house, ANYONE, elicitation={}).ask(
        "tools/call", inputResponses=answers, **retry
    )
    assert "somebody else" in theirs.answer["error"]["message"]
    second = client.ask("tools/call", inputResponses=answers, **retry)
    await trio.sleep(1)
    assert json.loads(second.answer["result"]["content"][0]["text"]) == [answers, "theirs"]


async def test_a_server_that_asks_what_its_client_cannot_is_answered_for(
    world: Build, autojump_clock: MockClock
) -> None:
    """The client gets -32021 with what is missing, as from a server that looks before it asks."""
    house, backend = await world(), FakeBackend(asking(user_name=QUESTION))
    house.serve("one", backend)
    refused = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert refused.answer["error"]["code"] == -32021
    assert refused.answer["error"]["data"] == {
        "requiredCapabilities": {"elicitation": {"form": {}}}
    }


async def test_lists_say_for_how_long_they_are_good(
    world: Build, autojump_clock: MockClock
) -> None:
    """The shortest time of all servers, and private where one is: a legacy server says nothing, which is neither."""
    house = await world()
    house.serve("one", FakeBackend(ModernServer))
    client = Modern(house)
    client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    alone = client.ask("tools/list").answer["result"]
    assert (alone["ttlMs"], alone["cacheScope"]) == (500, "public")
    house.serve("two", FakeBackend(FakeServer))
    stream = client.ask("tools/list")
    await trio.sleep(1)
    both = stream.answer["result"]
    assert (both["ttlMs"], both["cacheScope"]) == (0, "private")


# --- legacy client, modern server -------------------------------------------------------------------------------


async def test_questions_become_requests_to_a_legacy_client(
    world: Build, autojump_clock: MockClock
) -> None:
    """On the stream of its call; the answers go back in one more call, whose result the client gets."""
    house = await world()
    backend = FakeBackend(asking(one=QUESTION, two={"method": "roots/list"}))
    house.serve("one", backend)
    client = house.client(elicitation={}, roots={"listChanged": True})
    stream = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    asked = {message["method"]: message for message in stream.messages}
    assert set(asked) == {"elicitation/create", "roots/list"}
    assert asked["elicitation/create"]["params"]["message"] == "name?"
    client.reply(asked["roots/list"]["id"], {"roots": []})
    assert not stream.answers
    client.reply(asked["elicitation/create"]["id"], {"action": "decline"})
    await trio.sleep(1)
    answers, state = json.loads(stream.answer["result"]["content"][0]["text"])
    assert answers == {"one": {"action": "decline"}, "two": {"roots": []}}
    assert state == "theirs"
    assert "resultType" not in stream.answer["result"]


async def test_a_legacy_client_that_cannot_be_asked(
    world: Build, autojump_clock: MockClock
) -> None:
    """Forms are cancelled and roots are none, as nobody were there; only a missing model makes the call fail."""
    sampling = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}
    house = await world()
    house.serve("form", FakeBackend(asking(one=QUESTION)))
    client = house.client()
    stream = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert json.loads(stream.answer["result"]["content"][0]["text"])[0] == {
        "one": {"action": "cancel"}
    }
    other = await world()
    other.serve("model", FakeBackend(asking(one=sampling)))
    stream = other.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert "sampling/createMessage" in stream.answer["error"]["message"]


async def test_a_cancelled_call_takes_its_questions_back(
    world: Build, autojump_clock: MockClock
) -> None:
    """The client is told that nobody wants the answer, and the server hears of no further round."""
    house, backend = await world(), FakeBackend(asking(one=QUESTION))
    pool = house.serve("one", backend)
    client = house.client(elicitation={})
    stream = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    client.tell("notifications/cancelled", requestId=client.last_id)
    assert [one["method"] for one in stream.messages][-1] == "notifications/cancelled"
    assert stream.answers == [None]
    await trio.sleep(1)
    assert sum(len(one.requests("tools/call")) for one in backend.opened) == 1
    assert pool.idle()


@pytest.mark.refuses("from_servers.MAX_ROUNDS")
async def test_a_server_that_asks_for_ever_is_stopped(
    world: Build, autojump_clock: MockClock
) -> None:
    """A state without a question asks to be brought back: after a pause, and so many times only."""

    def make() -> ModernServer:
        server = ModernServer()
        body = {"resultType": "input_required", "requestState": "again"}
        server.scripts["tools/call"] = lambda one: Result(one.id, raw(body))
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    began = trio.current_time()
    stream = house.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(limits.ROUND_PAUSE_S * (limits.MAX_ROUNDS + 2))
    assert str(limits.MAX_ROUNDS) in stream.answer["error"]["message"]
    assert trio.current_time() - began >= limits.ROUND_PAUSE_S * limits.MAX_ROUNDS


async def test_a_server_that_dies_while_its_client_is_asked(
    world: Build, autojump_clock: MockClock
) -> None:
    """The call fails at once, and the question is taken back."""
    house, backend = await world(), FakeBackend(asking(one=QUESTION))
    house.serve("one", backend)
    client = house.client(elicitation={})
    stream = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    for server in backend.running:
        server.die("out of memory")
    await trio.sleep(0.1)
    assert "out of memory" in stream.answer["error"]["message"]
    assert stream.messages[-1]["method"] == "notifications/cancelled"


async def test_errors_of_the_modern_era_do_not_leak(
    world: Build, autojump_clock: MockClock
) -> None:
    """Their codes mean nothing to a legacy client."""

    def make() -> ModernServer:
        server = ModernServer()
        server.scripts["tools/call"] = lambda one: Failure(one.id, -32021, "lacks sampling")
        return server

    house = await world()
    house.serve("one", FakeBackend(make))
    stream = house.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert stream.answer["error"] == {"code": -32602, "message": "lacks sampling"}


async def test_the_log_level_goes_with_each_call(world: Build, autojump_clock: MockClock) -> None:
    """`logging/setLevel` does not exist there; lines come for the call that asked for them."""
    house = await world()
    backend = FakeBackend(lambda: ModernServer(held=frozenset({"tools/call"})))
    house.serve("one", backend)
    client = house.client()
    client.ask("logging/setLevel", level="info")
    stream = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    server = backend.opened[-1]
    assert isinstance(server, ModernServer)
    assert server.stamps("tools/call")[0][f"{PREFIX}logLevel"] == "info"
    server.notify("notifications/message", {"level": "info", "data": "hi"})
    await wait_all_tasks_blocked()
    assert stream.messages[0]["params"]["data"] == "hi"
    assert not server.requests("logging/setLevel")


# --- listening --------------------------------------------------------------------------------------------------


def with_resources() -> ModernServer:
    """A server with resources that change."""
    server = ModernServer()
    server.capabilities = {"tools": {}, "resources": {"subscribe": True, "listChanged": True}}
    listed = {"resources": [{"uri": "r://1", "name": "one"}]}
    server.scripts["resources/list"] = lambda one: Result(one.id, raw(listed))
    return server


async def test_a_subscription_of_a_legacy_client_becomes_part_of_the_filter(
    world: Build, autojump_clock: MockClock
) -> None:
    """It is answered once the server has acknowledged; updates come without the tag; the old subscription is given up."""
    house, backend = await world(), FakeBackend(with_resources)
    house.serve("one", backend)
    client = house.client()
    client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    stream = client.ask("resources/subscribe", uri="r://1")
    await trio.sleep(1)
    assert stream.answer["result"] == {}
    server = next(one for one in backend.running if len(one.requests("subscriptions/listen")) > 1)
    assert isinstance(server, ModernServer)
    wanted = json.loads(bytes(server.requests("subscriptions/listen")[-1].params or b""))
    assert wanted["notifications"] == {
        "resourcesListChanged": True,
        "resourceSubscriptions": ["r://1"],
    }
    server.tell("notifications/resources/updated", uri="r://1")
    await wait_all_tasks_blocked()
    assert client.standalone.messages[-1]["params"] == {"uri": "r://1"}
    cancelled = [one for one in server.seen if getattr(one, "method", "").endswith("cancelled")]
    assert len(cancelled) == 1


@pytest.mark.refuses("from_clients.MAX_SUBSCRIBED_URIS")
async def test_subscriptions_of_a_legacy_client_are_bounded(
    world: Build, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They all travel in one request, which has an end."""
    monkeypatch.setattr(limits, "MAX_SUBSCRIBED_URIS", 1)

    def with_two() -> ModernServer:
        server = with_resources()
        listed = {"resources": [{"uri": f"r://{name}", "name": name} for name in "12"]}
        server.scripts["resources/list"] = lambda one: Result(one.id, raw(listed))
        return server

    house = await world()
    house.serve("one", FakeBackend(with_two))
    client = house.client()
    client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    client.ask("resources/subscribe", uri="r://1")
    await trio.sleep(1)
    stream = client.ask("resources/subscribe", uri="r://2")
    await trio.sleep(1)
    assert stream.answer["error"]["code"] == -32000


async def test_a_subscription_that_the_server_ends_is_renewed(
    world: Build, autojump_clock: MockClock
) -> None:
    """What may have changed meanwhile is read again."""
    house, backend = await world(), FakeBackend(ModernServer)
    house.serve("one", backend)
    house.client().ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    server = next(one for one in backend.running if one.requests("tools/call"))
    before = len(server.requests("tools/list"))
    server.answer(server.requests("subscriptions/listen")[-1], {"resultType": "complete"})
    await trio.sleep(limits.START_BACKOFF_CAP_S)
    assert len(server.requests("subscriptions/listen")) == 2
    assert len(server.requests("tools/list")) == before + 1


async def test_a_server_that_cannot_be_listened_to_says_so_to_subscribers(
    world: Build, autojump_clock: MockClock
) -> None:
    """It is not asked again and again."""

    def make() -> ModernServer:
        server = with_resources()
        server.scripts["subscriptions/listen"] = lambda one: Failure(one.id, -32601, "no")
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    client = house.client()
    client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    for _ in range(2):
        stream = client.ask("resources/subscribe", uri="r://1")
        await trio.sleep(1)
        assert stream.answer["error"]["code"] == -32601
    assert max(len(one.requests("subscriptions/listen")) for one in backend.opened) == 1


async def test_changed_lists_are_heard_of(world: Build, autojump_clock: MockClock) -> None:
    """On the subscription; the client of that server's container sees the new list."""
    house, backend = await world(), FakeBackend(ModernServer)
    house.serve("one", backend)
    client = house.client()
    client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    server = next(one for one in backend.running if one.requests("tools/call"))
    assert isinstance(server, ModernServer)
    server.tools = [{"name": "new", "inputSchema": {"type": "object"}}]
    server.tell("notifications/tools/list_changed")
    await trio.sleep(1)
    assert client.standalone.messages[-1]["method"] == "notifications/tools/list_changed"
    tools = client.ask("tools/list").answer["result"]["tools"]
    assert [one["name"] for one in tools] == ["new"]


async def test_a_server_that_sends_requests_of_its_own_is_told_that_nobody_serves_them(
    world: Build, autojump_clock: MockClock
) -> None:
    """There are none in the modern era."""
    house, backend = await world(), FakeBackend(ModernServer)
    house.serve("one", backend)
    house.client(roots={}).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    server = next(one for one in backend.running if one.requests("tools/call"))
    server.ask(Request("q", "roots/list"))
    await wait_all_tasks_blocked()
    assert Failure("q", -32601, "roots/list is not served") in server.seen


async def test_a_dying_server_fails_what_waits_for_its_subscription(
    world: Build, autojump_clock: MockClock
) -> None:
    """Nobody waits for an acknowledgement that cannot come."""
    house = await world()
    backend = FakeBackend(with_resources)
    house.serve("one", backend)
    client = house.client()
    client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    server = next(one for one in backend.running if one.requests("tools/call"))
    server.held = frozenset({"subscriptions/listen"})
    stream = client.ask("resources/subscribe", uri="r://1")
    await wait_all_tasks_blocked()
    server.die(str(Gone("went away")))
    await trio.sleep(1)
    assert "went away" in stream.answer["error"]["message"]
