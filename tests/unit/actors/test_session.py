"""A session over real pools, listings and fake servers: what a client sends, and what it gets back."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.call import Deadlines
from actors.call_log import CallLog
from actors.container_pool import ContainerPool
from actors.last_words import LastWords
from actors.listings import Listings
from actors.session import Session
from actors.session_store import SessionStore
from actors.sessions import RESUMABLE, SessionRegistry
from actors.starts import Starts
from gateway import limits
from gateway.errors import Overloaded, StartFailed
from gateway.home import Home
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Message, Request, Result
from gateway.options import NameMode
from gateway.ports import ANYONE, LOCAL, Principal
from tests.fakes.house import FakeBackend, enabled
from tests.fakes.server import FakeServer, raw, tool


class Stream:
    """An outlet that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any] | None] = []

    def send(self, frame: bytes, *, skippable: bool = False) -> None:  # noqa: ARG002 -- the Protocol's
        """A message apart from the answer."""
        self.messages.append(json.loads(frame))

    def finish(self, frame: bytes | None) -> None:
        """The answer."""
        self.answers.append(None if frame is None else json.loads(frame))

    @property
    def answer(self) -> dict[str, Any]:
        """The only answer."""
        assert len(self.answers) == 1, self.answers
        assert self.answers[0] is not None
        return self.answers[0]


class World:
    """A registry with one pool per backend, all running."""

    def __init__(
        self,
        nursery: trio.Nursery,
        cache: Path,
        names: NameMode = "auto",
        store: SessionStore | None = None,
    ) -> None:
        self.nursery = nursery
        self.pools: dict[str, ContainerPool] = {}
        self.servers: dict[str, Any] = {}
        self.listings = Listings(Home(cache), names=names, changed=self._changed)
        self.registry = SessionRegistry(
            self.listings,
            self.pools,
            words=LastWords(Home(cache)),
            call_log=CallLog(enabled=True),
            store=store,
        )
        self.deadlines = Deadlines()
        nursery.start_soon(self.registry.run)
        nursery.start_soon(self.listings.run)
        nursery.start_soon(self.deadlines.run)

    def serve(self, name: str, backend: FakeBackend, **rules: Any) -> ContainerPool:
        """Takes in a server."""
        from random import Random

        server = enabled(name, **rules)
        pool = ContainerPool(
            server,
            backend.open,
            starts=Starts(4),
            deadlines=self.deadlines,
            reports=self.registry,
            random=Random(1),
        )
        self.pools[name] = pool
        self.servers[name] = server
        self.nursery.start_soon(pool.run)
        self.listings.apply(self.servers, self.pools)
        return pool

    def client(self, **capabilities: Any) -> Client:
        """A connected, initialized client with these capabilities."""
        client = Client(self.registry.open(LOCAL, transport="test"))
        client.ask(
            "initialize",
            protocolVersion="2025-11-25",
            capabilities=capabilities,
            clientInfo={"name": "tester", "version": "1"},
        )
        client.tell("notifications/initialized")
        return client

    def _changed(self) -> None:
        self.registry.lists_changed()


class Client:
    """The client's end of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.standalone = Stream()
        session.attach(self.standalone)
        self._last = 0

    def ask(self, method: str, /, **fields: Any) -> Stream:
        """Sends a request; its answer arrives in the stream."""
        self._last += 1
        stream = Stream()
        frame = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": fields}
        self.session.receive(codec.decode(json.dumps(frame).encode()), stream)
        return stream

    def tell(self, method: str, /, **fields: Any) -> None:
        """Sends a notification."""
        frame = {"jsonrpc": "2.0", "method": method, "params": fields}
        self.session.receive(codec.decode(json.dumps(frame).encode()), Stream())

    def reply(self, request_id: Any, result: Any) -> None:
        """Answers a request of a server."""
        frame = {"jsonrpc": "2.0", "id": request_id, "result": result}
        self.session.receive(codec.decode(json.dumps(frame).encode()), Stream())

    @property
    def last_id(self) -> int:
        """The id of the newest request."""
        return self._last


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


async def test_initialize_negotiates_and_introduces(world: Callable[..., Awaitable[World]]) -> None:
    """The answer has the agreed revision, our name, and the capabilities to be listed."""
    house = await world()
    client = Client(house.registry.open(LOCAL, transport="test"))
    result = client.ask(
        "initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={"name": "t"}
    ).answer["result"]
    assert result["protocolVersion"] == "2025-03-26"
    assert result["serverInfo"]["name"] == "mcpgw"
    assert result["capabilities"]["tools"] == {"listChanged": True}


async def test_requests_before_initialize_are_refused(
    world: Callable[..., Awaitable[World]],
) -> None:
    """Only ping is answered before the handshake."""
    client = Client((await world()).registry.open(LOCAL, transport="test"))
    assert client.ask("tools/list").answer["error"]["code"] == -32600
    assert client.ask("ping").answer["result"] == {}


async def test_an_unknown_list_is_waited_for_and_cached(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """The first list starts the server once; the next client's is answered without it."""
    house = await world()
    backend = FakeBackend(lambda: FakeServer(tool("a")))
    house.serve("one", backend)
    stream = house.client().ask("tools/list")
    assert stream.answers == []
    await wait_all_tasks_blocked()
    assert [item["name"] for item in stream.answer["result"]["tools"]] == ["a"]
    assert len(house.client().ask("tools/list").answer["result"]["tools"]) == 1
    assert len(backend.opened) == 1
    await trio.sleep(3)
    assert backend.running == []


def wait_for_file(folder: Path) -> None:
    """Returns once a file is in `folder`: the clock of a thread is no mock."""
    for _ in range(1000):
        if list(folder.rglob("*.json")):
            return
        time.sleep(0.005)
    raise AssertionError("the lists were not saved")


async def test_lists_survive_a_restart(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock, tmp_path: Path
) -> None:
    """A second gateway on the same home answers at once, with nothing started."""
    first, backend = await world(), FakeBackend()
    first.serve("one", backend)
    first.client().ask("tools/list")
    await trio.sleep(1)
    await trio.to_thread.run_sync(wait_for_file, tmp_path)
    second, untouched = await world(), FakeBackend()
    second.serve("one", untouched)
    assert len(second.client().ask("tools/list").answer["result"]["tools"]) == 1
    assert untouched.opened == []


async def test_a_slow_server_does_not_hold_up_the_list(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """After 5 s the list has what is known; the rest is announced when it comes."""
    house = await world()
    slow = FakeBackend(lambda: FakeServer(tool("late")))
    slow.gate = trio.Event()
    house.serve("fast", FakeBackend(lambda: FakeServer(tool("early"))))
    house.serve("slow", slow)
    client = house.client()
    stream = client.ask("tools/list")
    await trio.sleep(4.9)
    assert stream.answers == []
    await trio.sleep(0.2)
    assert [item["name"] for item in stream.answer["result"]["tools"]] == ["early"]
    slow.gate.set()
    await trio.sleep(1)
    notices = [message["method"] for message in client.standalone.messages]
    assert notices == ["notifications/tools/list_changed"]
    names = [item["name"] for item in client.ask("tools/list").answer["result"]["tools"]]
    assert names == ["early", "late"]


async def test_a_call_is_routed_and_answered_under_the_clients_id(
    world: Callable[..., Awaitable[World]],
) -> None:
    """The exposed name leads to the server's own one; arguments travel as they are."""
    house = await world(names="prefix")
    backend = FakeBackend()
    house.serve("one", backend)
    client = house.client()
    client.ask("tools/list")
    await wait_all_tasks_blocked()
    stream = client.ask("tools/call", name="one__echo", arguments={"x": 1.0})
    await wait_all_tasks_blocked()
    assert stream.answer["id"] == client.last_id
    assert stream.answer["result"]["content"][0]["text"] == "fake says hello"
    sent = backend.opened[-1].requests("tools/call")[0]
    assert bytes(sent.params or b"") == b'{"name":"echo","arguments":{"x": 1.0}}'


async def test_a_call_may_come_before_any_list(world: Callable[..., Awaitable[World]]) -> None:
    """A client that knows the name need not list first."""
    house = await world()
    house.serve("one", FakeBackend())
    stream = house.client().ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    assert stream.answer["result"]["content"]


async def test_a_call_waits_for_its_own_server_only(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """Another server that takes its time to be listed does not hold it up."""
    house = await world()
    slow = FakeBackend(lambda: FakeServer(tool("late")))
    slow.gate = trio.Event()
    house.serve("slow", slow)
    house.serve("fast", FakeBackend())
    stream = house.client().ask("tools/call", name="echo")
    await trio.sleep(0.1)
    assert stream.answer["result"]["content"]


async def test_an_unknown_tool_is_named(world: Callable[..., Awaitable[World]]) -> None:
    """The error says which tool, with the code of the specification."""
    house = await world()
    house.serve("one", FakeBackend())
    stream = house.client().ask("tools/call", name="ehco")
    await wait_all_tasks_blocked()
    assert stream.answer["error"]["code"] == -32602
    assert "ehco" in stream.answer["error"]["message"]
    assert "Not known" not in stream.answer["error"]["message"]


async def test_an_unknown_tool_may_be_one_of_a_broken_server(
    world: Callable[..., Awaitable[World]],
) -> None:
    """The error says which servers could not be listed, and why."""
    house = await world()

    def fail() -> FakeServer:
        raise StartFailed("no such command")

    house.serve("broken", FakeBackend(fail))
    stream = house.client().ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    message = stream.answer["error"]["message"]
    assert message.startswith("No tool is named 'echo'")
    assert message.endswith("broken (no such command)")


async def test_wrong_params_and_unknown_methods_have_their_codes(
    world: Callable[..., Awaitable[World]],
) -> None:
    """-32602 for params, -32601 for methods; the session goes on."""
    client = (await world()).client()
    assert client.ask("tools/call").answer["error"]["code"] == -32602
    assert client.ask("tools/call", name=7).answer["error"]["code"] == -32602
    assert client.ask("tools/dance").answer["error"]["code"] == -32601
    assert client.ask("logging/setLevel", level="loud").answer["error"]["code"] == -32602
    assert client.ask("ping").answer["result"] == {}


async def test_a_cancelled_call_gets_no_answer_and_the_server_is_told(
    world: Callable[..., Awaitable[World]],
) -> None:
    """The server learns it under its own id; a late answer goes nowhere."""
    house = await world()
    backend = FakeBackend(lambda: FakeServer(held=frozenset({"tools/call"})))
    house.serve("one", backend)
    client = house.client()
    stream = client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    client.tell("notifications/cancelled", requestId=client.last_id)
    await wait_all_tasks_blocked()
    assert stream.answers == [None]
    server = backend.opened[-1]
    number = server.requests("tools/call")[0].id
    cancelled = [one for one in server.seen if getattr(one, "method", "").endswith("cancelled")]
    assert json.loads(bytes(cancelled[0].params or b""))["requestId"] == number  # type: ignore[union-attr]


async def test_a_call_that_waits_for_lists_can_be_cancelled(
    world: Callable[..., Awaitable[World]],
) -> None:
    """It ends without an answer."""
    house, backend = await world(), FakeBackend()
    backend.gate = trio.Event()
    house.serve("one", backend)
    client = house.client()
    stream = client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    client.tell("notifications/cancelled", requestId=client.last_id)
    await wait_all_tasks_blocked()
    assert stream.answers == [None]


async def test_an_id_in_use_is_refused(world: Callable[..., Awaitable[World]]) -> None:
    """Two answers under one id could not be told apart."""
    house = await world()
    house.serve("one", FakeBackend(lambda: FakeServer(held=frozenset({"tools/call"}))))
    client = house.client()
    client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    client._last -= 1
    assert client.ask("ping").answer["error"]["code"] == -32600


async def test_progress_and_logs_arrive_before_the_answer(
    world: Callable[..., Awaitable[World]],
) -> None:
    """They travel on the stream of their call, progress under the client's token, logs by level."""
    house = await world()
    backend = FakeBackend(lambda: FakeServer(held=frozenset({"tools/call"})))
    house.serve("one", backend)
    client = house.client()
    client.ask("logging/setLevel", level="warning")
    stream = client.ask("tools/call", name="echo", _meta={"progressToken": 0})
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    request = server.requests("tools/call")[0]
    server.notify("notifications/progress", {"progressToken": request.id, "progress": 1})
    server.notify("notifications/message", {"level": "debug", "data": "no"})
    server.notify("notifications/message", {"level": "error", "data": "yes"})
    server.answer(request, {"content": []})
    await wait_all_tasks_blocked()
    assert [one["params"] for one in stream.messages] == [
        {"progressToken": 0, "progress": 1},
        {"level": "error", "data": "yes"},
    ]
    assert stream.answer["result"] == {"content": []}


async def test_a_sessions_own_change_is_told_to_it_alone(
    world: Callable[..., Awaitable[World]],
    autojump_clock: MockClock,
) -> None:
    """A container that changes its tools changes them for its session; both are told once, or not at all."""
    house, backend = await world(), FakeBackend()
    house.serve("one", backend)
    mine, other = house.client(), house.client()
    for client in (mine, other):
        client.ask("tools/list")
    await wait_all_tasks_blocked()
    mine.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    backend.opened[-1].tools.append(tool("new"))
    backend.opened[-1].notify("notifications/tools/list_changed")
    await trio.sleep(1)
    assert [one["method"] for one in mine.standalone.messages] == [
        "notifications/tools/list_changed"
    ]
    assert other.standalone.messages == []
    assert len(mine.ask("tools/list").answer["result"]["tools"]) == 2
    assert len(other.ask("tools/list").answer["result"]["tools"]) == 1


async def test_a_closed_session_leaves_nothing(world: Callable[..., Awaitable[World]]) -> None:
    """Its calls are answered with an error, its containers stopped, its streams ended, its id unknown."""
    house = await world()
    backend = FakeBackend(lambda: FakeServer(held=frozenset({"tools/call"})))
    house.serve("one", backend)
    client = house.client()
    stream = client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    client.session.close()
    client.session.close()
    await wait_all_tasks_blocked()
    assert "session ended" in stream.answer["error"]["message"]
    assert client.standalone.answers == [None]
    assert backend.running == []
    assert house.registry.find(client.session.id, LOCAL) is None


async def test_sessions_are_found_by_their_principal_only(
    world: Callable[..., Awaitable[World]],
) -> None:
    """A session id is no credential."""
    house = await world()
    session = house.registry.open(LOCAL, transport="test")
    assert house.registry.find(session.id, LOCAL) is session
    assert house.registry.find(session.id, ANYONE) is None
    assert house.registry.find("x", LOCAL) is None


async def test_left_sessions_expire(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """A client that vanished without a word is gone after half an hour; one with a stream is not."""
    house = await world()
    left, listening = house.client(), house.client()
    left.session.detach(left.standalone)
    await trio.sleep(1900)
    assert left.session.is_closed
    assert not listening.session.is_closed


async def test_a_draining_gateway_takes_nothing_new(world: Callable[..., Awaitable[World]]) -> None:
    """Calls and sessions are refused, with a sentence."""
    house = await world()
    house.serve("one", FakeBackend())
    client = house.client()
    house.registry.draining = True
    refused = client.ask("tools/call", name="echo").answer["error"]
    assert "shutting down" in refused["message"]
    with pytest.raises(Overloaded):
        house.registry.open(LOCAL, transport="test")


def capable(name: str = "fake") -> FakeServer:
    """A server with everything; its calls are the test's to answer."""
    server = FakeServer(held=frozenset({"tools/call"}), name=name)
    capabilities = {
        "tools": {},
        "prompts": {},
        "resources": {"subscribe": True},
        "completions": {},
        "logging": {},
    }
    listed = {
        "prompts/list": {"prompts": [{"name": "ask"}]},
        "resources/list": {"resources": [{"uri": "x://1", "name": "one"}]},
        "resources/templates/list": {
            "resourceTemplates": [{"uriTemplate": "x://{id}", "name": "t"}]
        },
        "completion/complete": {"completion": {"values": ["yes"]}},
        "resources/subscribe": {},
        "resources/unsubscribe": {},
        "logging/setLevel": {},
        "initialize": {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "serverInfo": {"name": name, "version": "1"},
        },
    }
    for method, body in listed.items():
        server.scripts[method] = lambda request, body=body: Result(request.id, raw(body))
    return server


async def test_a_servers_request_reaches_the_client_on_the_stream_of_its_call(
    world: Callable[..., Awaitable[World]],
) -> None:
    """Under an id of ours; the client's answer goes back to the server."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = house.client(sampling={}, elicitation={})
    stream = client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    server.ask(Request("s-1", "elicitation/create", raw({"message": "sure?"})))
    await wait_all_tasks_blocked()
    asked = stream.messages[-1]
    assert asked["method"] == "elicitation/create"
    assert asked["params"] == {"message": "sure?"}
    client.reply(asked["id"], {"action": "accept"})
    await wait_all_tasks_blocked()
    given = server.seen[-1]
    assert isinstance(given, Result)
    assert (given.id, bytes(given.result)) == ("s-1", b'{"action": "accept"}')
    assert json.loads(bytes(server.requests("initialize")[0].params or b""))["capabilities"] == {
        "elicitation": {},
        "sampling": {},
    }


async def test_what_a_client_did_not_declare_is_not_asked_of_it(
    world: Callable[..., Awaitable[World]],
) -> None:
    """The server gets the error that the specification names; the client hears nothing."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = house.client()
    stream = client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    server.ask(Request(1, "sampling/createMessage", raw({})))
    await wait_all_tasks_blocked()
    assert stream.messages == []
    refusal = server.seen[-1]
    assert isinstance(refusal, Failure)
    assert refusal.code == -32601


async def test_a_retracted_request_is_cancelled_at_the_client(
    world: Callable[..., Awaitable[World]],
) -> None:
    """The client is told under the id that it knows."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = house.client(roots={})
    stream = client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    server.ask(Request(7, "roots/list"))
    server.notify("notifications/cancelled", {"requestId": 7})
    await wait_all_tasks_blocked()
    asked, cancelled = stream.messages
    assert cancelled["params"]["requestId"] == asked["id"]


async def test_a_client_that_leaves_answers_with_an_error(
    world: Callable[..., Awaitable[World]],
) -> None:
    """No server waits for a client that is gone."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend, isolation="call")
    client = house.client(roots={})
    client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    server = backend.opened[-1]
    server.ask(Request(7, "roots/list"))
    await wait_all_tasks_blocked()
    client.session.close()
    refusal = next(one for one in server.seen if isinstance(one, Failure))
    assert refusal.id == 7


async def test_completions_are_routed_by_their_reference(
    world: Callable[..., Awaitable[World]],
) -> None:
    """Prompts by name, templates by URI; the name is the server's own again."""
    house, backend = await world(names="prefix"), FakeBackend(capable)
    house.serve("one", backend)
    client = house.client()
    client.ask("prompts/list")
    await wait_all_tasks_blocked()
    argument = {"name": "a", "value": "y"}
    prompt = client.ask(
        "completion/complete", ref={"type": "ref/prompt", "name": "one__ask"}, argument=argument
    )
    template = client.ask(
        "completion/complete", ref={"type": "ref/resource", "uri": "x://{id}"}, argument=argument
    )
    unknown = client.ask("completion/complete", ref={"type": "ref/other"}, argument=argument)
    await wait_all_tasks_blocked()
    assert (
        prompt.answer["result"] == template.answer["result"] == {"completion": {"values": ["yes"]}}
    )
    assert unknown.answer["error"]["code"] == -32602
    sent = json.loads(bytes(backend.opened[-1].requests("completion/complete")[0].params or b""))
    assert sent == {"ref": {"type": "ref/prompt", "name": "ask"}, "argument": argument}


@pytest.mark.parametrize("isolation", ["session", "shared"])
async def test_subscribers_are_told_of_changes(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock, isolation: str
) -> None:
    """Whoever subscribed, and nobody else; until it unsubscribes."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend, isolation=isolation)
    subscriber, other = house.client(), house.client()
    subscriber.ask("resources/subscribe", uri="x://1")
    await trio.sleep(1)
    server = backend.opened[-1]
    server.notify("notifications/resources/updated", {"uri": "x://1"})
    await wait_all_tasks_blocked()
    updates = [
        one
        for one in subscriber.standalone.messages
        if one["method"] == "notifications/resources/updated"
    ]
    assert [one["params"]["uri"] for one in updates] == ["x://1"]
    assert all(one["method"].endswith("list_changed") for one in other.standalone.messages)


async def test_the_log_level_reaches_the_server(world: Callable[..., Awaitable[World]]) -> None:
    """The one that runs, and those that start later."""
    house, backend = await world(), FakeBackend(capable)
    house.serve("one", backend)
    client = house.client()
    client.ask("tools/call", name="echo")
    await wait_all_tasks_blocked()
    client.ask("logging/setLevel", level="error")
    await wait_all_tasks_blocked()
    assert len(backend.opened[-1].requests("logging/setLevel")) == 1


async def test_repr_shows_no_whole_id(world: Callable[..., Awaitable[World]]) -> None:
    """The session id opens doors: logs get its beginning."""
    client = (await world()).client()
    assert client.session.id not in repr(client.session)
    assert "tester" in repr(client.session)


async def test_an_ended_session_starts_nothing(world: Callable[..., Awaitable[World]]) -> None:
    """A request that was under way when its session ended is refused; no container is started for nobody."""
    house = await world()
    backend = FakeBackend()
    house.serve("one", backend)
    client = house.client()
    client.session.close()
    assert "ended" in client.ask("tools/call", name="echo").answer["error"]["message"]
    await wait_all_tasks_blocked()
    assert backend.opened == []


@pytest.mark.refuses("from_clients.MAX_INFLIGHT_PER_SESSION")
async def test_requests_that_wait_for_lists_are_bounded(
    world: Callable[..., Awaitable[World]],
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is a task, so that there must not be any number of them."""
    monkeypatch.setattr(limits, "MAX_INFLIGHT_PER_SESSION", 3)
    house = await world()
    house.serve("one", FakeBackend(lambda: FakeServer(held=frozenset({"initialize"}))))
    client = house.client()
    waiting = [client.ask("tools/list") for _ in range(3)]
    assert client.ask("tools/list").answer["error"]["code"] == -32000
    assert client.ask("tools/call", name="x").answer["error"]["code"] == -32000
    await trio.sleep(limits.UNCACHED_LIST_WAIT_S + 1)
    assert [stream.answer["result"]["tools"] for stream in waiting] == [[], [], []]
    assert "result" in client.ask("ping").answer


async def test_a_slow_server_costs_its_wait_once(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """After it was waited for, lists are answered without it while it takes its time."""
    house = await world()
    house.serve("slow", FakeBackend(lambda: FakeServer(held=frozenset({"initialize"}))))
    house.serve("fast", FakeBackend(lambda: FakeServer(tool("quick"))))
    client = house.client()
    client.ask("tools/list")
    await trio.sleep(limits.UNCACHED_LIST_WAIT_S + 1)
    again = client.ask("tools/list").answer["result"]["tools"]
    assert [item["name"] for item in again] == ["quick"]


@pytest.mark.refuses("from_clients.MAX_SESSIONS")
async def test_the_longest_left_session_gives_way(
    world: Callable[..., Awaitable[World]],
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clients that never end their sessions must not lock out the others; those in use stay."""
    monkeypatch.setattr(limits, "MAX_SESSIONS", 2)
    house = await world()
    left = house.registry.open(ANYONE, transport="test")
    listening = house.registry.open(ANYONE, transport="test")
    listening.attach(Stream())
    with pytest.raises(Overloaded):
        house.registry.open(ANYONE, transport="test")
    await trio.sleep(limits.SESSION_SPARED_S + 1)
    house.registry.open(ANYONE, transport="test")
    assert left.is_closed
    assert not listening.is_closed


async def test_a_server_that_keeps_announcing_changes_is_read_ever_more_seldom(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """Each reading that shows something new costs every client: a storm of them is none."""
    house = await world()
    server = FakeServer(tool("first"))
    serial = count()

    def changing(request: Request) -> Message:
        server.notify("notifications/tools/list_changed")
        return Result(request.id, raw({"tools": [tool(f"t{next(serial)}")]}))

    server.scripts["tools/list"] = changing
    house.serve("one", FakeBackend(lambda: server), isolation="shared")
    client = house.client()
    client.ask("tools/list")
    await trio.sleep(1)
    client.ask("tools/call", name="t0")
    await trio.sleep(50)
    assert 2 < len(server.requests("tools/list")) < 12
    assert len(client.standalone.messages) < 12


async def test_an_announced_change_that_is_none_is_no_news(
    world: Callable[..., Awaitable[World]], autojump_clock: MockClock
) -> None:
    """Clients hear of changes that they can see."""
    house = await world()
    server = FakeServer(tool("same"))
    house.serve("one", FakeBackend(lambda: server))
    client = house.client()
    client.ask("tools/list")
    await trio.sleep(1)
    client.ask("tools/call", name="same")
    for _ in range(100):
        server.notify("notifications/tools/list_changed")
    await trio.sleep(20)
    assert client.standalone.messages == []


async def test_a_client_is_told_only_what_its_revision_has(
    nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path
) -> None:
    """States of tasks, for one, exist since 2025-11-25; what no revision has is an extension's, and passes."""
    house, backend = World(nursery, tmp_path), FakeBackend()
    await wait_all_tasks_blocked()
    house.serve("one", backend)
    client = Client(house.registry.open(LOCAL, transport="test"))
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
    client.ask("initialize", **hello)
    client.tell("notifications/initialized")
    called = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert "result" in called.answer
    for method in ("notifications/tasks/status", "notifications/vendor/news"):
        backend.opened[-1].notify(method, {})
    await trio.sleep(1)
    told = [one["method"] for one in client.standalone.messages]
    assert "notifications/tasks/status" not in told
    assert "notifications/vendor/news" in told


def opened(house: World, transport: str, **capabilities: Any) -> Client:
    """A client of that transport, initialized."""
    client = Client(house.registry.open(LOCAL, transport=transport))
    client.ask(
        "initialize",
        protocolVersion="2025-06-18",
        capabilities=capabilities,
        clientInfo={"name": "tester", "version": "1"},
    )
    client.tell("notifications/initialized")
    return client


async def test_a_session_goes_on_with_the_next_gateway(
    nursery: trio.Nursery, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Its capabilities, log level and subscriptions are told to the servers that now work for it."""
    store = SessionStore(tmp_path / "sessions")
    first = World(nursery, tmp_path / "one", store=store)
    first.serve("fake", FakeBackend(capable))
    await trio.sleep(1)
    client = opened(first, RESUMABLE, roots={})
    client.ask("logging/setLevel", level="error")
    client.ask("resources/subscribe", uri="x://1")
    await trio.sleep(1)
    first.registry.close_all()
    assert first.registry.find(client.session.id, Principal("another")) is None

    backend = FakeBackend(capable)
    second = World(nursery, tmp_path / "two", store=store)
    second.serve("fake", backend)
    await trio.sleep(1)
    found = second.registry.find(client.session.id, LOCAL)
    assert found is not None
    assert (found.id, found.protocol_version) == (client.session.id, "2025-06-18")
    again = Client(found)
    await trio.sleep(1)
    told = [message["method"] for message in again.standalone.messages]
    assert "notifications/tools/list_changed" in told
    (server,) = backend.running
    assert len(server.requests("resources/subscribe")) == 1
    hello = json.loads(bytes(server.requests("initialize")[0].params or b""))
    assert hello["capabilities"] == {"roots": {}}
    level = json.loads(bytes(server.requests("logging/setLevel")[0].params or b""))
    assert level == {"level": "error"}
    server.notify("notifications/resources/updated", {"uri": "x://1"})
    await wait_all_tasks_blocked()
    assert again.standalone.messages[-1]["params"] == {"uri": "x://1"}


async def test_a_session_that_its_client_ended_is_not_found_again(
    nursery: trio.Nursery, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Nor one of a transport whose clients cannot come back."""
    store = SessionStore(tmp_path)
    world = World(nursery, tmp_path, store=store)
    for transport, end in ((RESUMABLE, True), ("sse", False)):
        session = opened(world, transport).session
        if end:
            session.close()
        else:
            world.registry.close_all()
        assert world.registry.find(session.id, LOCAL) is None
