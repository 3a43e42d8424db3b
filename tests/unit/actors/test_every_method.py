"""What becomes of each method between any two eras: the table in docs/protocol.md, held to a gateway that is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import trio
from trio.testing import MockClock

from gateway.jsonrpc.messages import Failure, Notification, Request, Result
from gateway.mcp.methods import METHODS
from gateway.ports import LOCAL
from tests.fakes.house import FakeBackend
from tests.fakes.server import raw
from tests.property.conversation import PREFIX, Heard, Outlet, Server
from tests.unit.actors.test_session import World

LEGACY: Final = "2025-11-25"
MODERN: Final = "2026-07-28"
PAIRS: Final = ((LEGACY, LEGACY), (LEGACY, MODERN), (MODERN, LEGACY), (MODERN, MODERN))
"""Revisions of client and server, in the table's order."""
PAGE: Final = Path(__file__).parents[3] / "docs" / "protocol.md"
TASKS: Final = f"{PREFIX}tasks"
ABLE: Final = {"sampling": {}, "roots": {"listChanged": True}, "elicitation": {"form": {}}}
GREETINGS: Final = {"initialize", "server/discover", "notifications/initialized"}
OUTCOMES: Final = {
    "tools/call": {"content": []},
    "prompts/get": {"messages": []},
    "resources/read": {"contents": [], "ttlMs": 0, "cacheScope": "private"},
    "completion/complete": {"completion": {"values": []}},
}
TASK: Final = {
    "taskId": "theirs",
    "status": "working",
    "createdAt": "2026-01-01T00:00:00Z",
    "lastUpdatedAt": "2026-01-01T00:00:00Z",
    "ttl": 60000,
}
PARAMS: Final[dict[str, dict[str, Any]]] = {
    "tools/call": {"name": "t", "arguments": {}},
    "prompts/get": {"name": "p"},
    "resources/read": {"uri": "test://one"},
    "resources/subscribe": {"uri": "test://one"},
    "resources/unsubscribe": {"uri": "test://one"},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "p"},
        "argument": {"name": "a", "value": ""},
    },
    "logging/setLevel": {"level": "info"},
    "subscriptions/listen": {"notifications": {"resourceSubscriptions": ["test://one"]}},
    "sampling/createMessage": {"messages": [], "maxTokens": 1},
    "elicitation/create": {
        "message": "?",
        "requestedSchema": {"type": "object", "properties": {}},
    },
    "notifications/message": {"level": "emergency", "data": 1},
    "notifications/resources/updated": {"uri": "test://one"},
    "notifications/elicitation/complete": {"elicitationId": "e"},
    "notifications/tasks/status": TASK,
}


class Pair:
    """A client and a server of two eras, with the gateway between; a call is in flight."""

    def __init__(self, world: World, client: str, server: str) -> None:
        self.client = client
        self.world = world
        self.heard = Heard()
        self.backend = FakeBackend(lambda: Server(server))
        self.server_revision = server
        self._last = 0
        world.serve("one", self.backend, max=8)
        self.session = world.registry.open(LOCAL, transport="test")
        self.standing = Outlet(self.heard)
        self.session.attach(self.standing)

    async def open(self) -> None:
        """Greets, and has a call wait at the server."""
        if self.client == LEGACY:
            info = {"name": "c", "version": "1"}
            hello = {"protocolVersion": LEGACY, "capabilities": ABLE, "clientInfo": info}
            self.ask("initialize", hello)
            self.tell("notifications/initialized")
            self.ask("logging/setLevel", PARAMS["logging/setLevel"])
        else:
            self.ask("subscriptions/listen", {"notifications": {
                "toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True,
                "resourceSubscriptions": ["test://one"],
            }})  # fmt: skip
        await trio.sleep(1)
        self.called = self.ask(
            "tools/call", {**PARAMS["tools/call"], "_meta": {"progressToken": "tok"}}
        )
        self.called_id = self._last
        await trio.sleep(1)
        if self.client == LEGACY:
            self.ask("resources/subscribe", PARAMS["resources/subscribe"])
            await trio.sleep(1)

    @property
    def server(self) -> Server:
        """The one that has the call."""
        return next(one for one in self.backend.opened if isinstance(one, Server) and one.waiting)

    def ask(self, method: str, params: dict[str, Any], /) -> Outlet:
        """Sends a request."""
        self._last += 1
        if self.client == MODERN:
            meta = {
                f"{PREFIX}protocolVersion": MODERN,
                f"{PREFIX}clientCapabilities": {**ABLE, "extensions": {TASKS: {}}},
                f"{PREFIX}logLevel": "debug",
            }
            params = {**params, "_meta": {**params.get("_meta", {}), **meta}}
        outlet = Outlet(self.heard, method)
        self.session.receive(Request(self._last, method, raw(params)), outlet)
        return outlet

    def tell(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Sends a notification."""
        said = None if params is None else raw(params)
        self.session.receive(Notification(method, said), Outlet(Heard()))

    def seen(self) -> Counter[str]:
        """The methods that all servers were sent."""
        return Counter(
            one.method
            for server in self.backend.opened
            for one in server.seen
            if isinstance(one, Request | Notification)
        )


async def answer_all(pair: Pair, *, but: Request | None = None) -> None:
    """The server answers what waits."""
    for server in pair.backend.opened:
        assert isinstance(server, Server)
        for request in [one for one in server.waiting if one is not but]:
            server.waiting.remove(request)
            body = OUTCOMES.get(request.method, TASK if request.method.startswith("tasks/") else {})
            more = {"resultType": "complete"} if server.modern else {}
            server.say(Result(request.id, raw({**more, **body})))
    await trio.sleep(1)


async def of_client_request(pair: Pair, method: str) -> str:
    """What becomes of a client's request."""
    params = PARAMS.get(method, {})
    if method in {"tasks/get", "tasks/cancel", "tasks/result", "tasks/update"}:
        params = {"taskId": await made_task(pair)}
    held = pair.server.waiting[0] if pair.called.answers == [] else None
    before = pair.seen()
    if method == "initialize" and pair.client == LEGACY:
        pair.session = pair.world.registry.open(LOCAL, transport="test")
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c"}}
    outlet = pair.ask(method, params)
    await trio.sleep(1)
    await answer_all(pair, but=held)
    new = pair.seen() - before
    if method in new and method not in GREETINGS:
        return "passed"
    answer = outlet.answers[0] if outlet.answers else {}
    if answer is not None and "error" in answer:
        return "refused"
    for other in ("subscriptions/listen", "resources/subscribe"):
        if other in new:
            return f"as `{other}`"
    return "answered"


async def made_task(pair: Pair) -> str:
    """The id of a task that the server made of the open call, as the client knows it; one of nobody where it cannot be had."""
    server = pair.server
    if (pair.client, pair.server_revision) == (MODERN, LEGACY):
        return "nobody's"  # such a call asks for no task
    if pair.client == LEGACY:
        pair.ask("tools/call", {**PARAMS["tools/call"], "task": {}})
        await trio.sleep(1)
        request = server.waiting.pop()
    else:
        request = server.waiting.pop(0)
    body = {**TASK, "resultType": "task", "ttlMs": 60000} if server.modern else {"task": TASK}
    server.say(Result(request.id, raw(body)))
    await trio.sleep(1)
    for message, _ in pair.heard:
        result = message.get("result", {})
        told = result.get("task", result)
        if "taskId" in told:
            return str(told["taskId"])
    return "nobody's"


async def of_server_request(pair: Pair, method: str) -> str:
    """What becomes of a server's question: a request, or within a result, as its era has it."""
    server, params = pair.server, PARAMS.get(method, {})
    (call,) = [one for one in server.waiting if one.method == "tools/call"]
    if server.modern and method in {"sampling/createMessage", "elicitation/create", "roots/list"}:
        asked = {
            "resultType": "input_required",
            "inputRequests": {"q": {"method": method, "params": params}},
        }
        server.say(Result(call.id, raw(asked)))
    else:
        server.say(Request("s1", method, raw(params)))
    await trio.sleep(1)
    if any(one["method"] == method for one in (*pair.called.asked, *pair.standing.asked)):
        return "passed" if not server.modern else "a request"
    for answer in pair.called.answers:
        if answer is not None and answer["result"].get("resultType") == "input_required":
            return "passed" if server.modern else "within a result"
    said = [one for one in server.seen if getattr(one, "id", None) == "s1"]
    return "refused" if isinstance(said[0], Failure) else "answered"


async def of_client_notice(pair: Pair, method: str) -> str:
    """What becomes of a client's notification."""
    before = pair.seen()
    params = {"requestId": pair.called_id, **TASK, "progressToken": 1, "progress": 1}
    pair.tell(method, params)
    await trio.sleep(1)
    return "passed" if method in pair.seen() - before else "not passed"


def subscribed(pair: Pair) -> Server:
    """The server that was asked to tell of the resource, in whichever way."""
    for server in pair.backend.opened:
        assert isinstance(server, Server)
        if server.requests("resources/subscribe"):
            return server
        if any(
            b"test://one" in bytes(one.params or b"")
            for one in server.requests("subscriptions/listen")
        ):
            return server
    raise AssertionError("no server was asked")


async def of_server_notice(pair: Pair, method: str) -> str:
    """What becomes of a server's notification."""
    server = pair.server
    params: dict[str, Any] = PARAMS.get(method, {})
    (call,) = [one for one in server.waiting if one.method == "tools/call"]
    if method == "notifications/progress":
        params = {"progressToken": call.id, "progress": 1}
    elif method == "notifications/cancelled":
        question = Request("s9", "roots/list", None)
        server.say(question)
        await trio.sleep(1)
        params = {"requestId": "s9"}
    elif method == "notifications/resources/updated":
        server = subscribed(pair)
    if server.modern and method not in {"notifications/progress", "notifications/message"}:
        number = server.requests("subscriptions/listen")[-1].id
        params = {**params, "_meta": {f"{PREFIX}subscriptionId": number}}
    if method.endswith("list_changed"):
        kind = method.split("/")[1]
        server.scripts[f"{kind}/list"] = lambda request: Result(
            request.id,
            raw({"resultType": "complete", "ttlMs": 0, "cacheScope": "public", kind: []}),
        )
    before = len(pair.heard)
    server.notify(method, params)
    await trio.sleep(3)
    told = [message.get("method") for message, _ in pair.heard[before:]]
    return "passed" if method in told else "not passed"


WAYS: Final[dict[tuple[str, str], Callable[[Pair, str], Any]]] = {
    ("client", "request"): of_client_request,
    ("server", "request"): of_server_request,
    ("client", "notification"): of_client_notice,
    ("server", "notification"): of_server_notice,
}


def rows() -> dict[tuple[str, str], list[str]]:
    """The table of the page, by method and sender."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[1] in {"client", "server"}:
            found[cells[0].strip("`"), cells[1]] = cells[2:]
    return found


def expected() -> list[tuple[str, str]]:
    """Every method with each side that may send it."""
    return [
        (row.name, side)
        for row in METHODS.values()
        for side in ("client", "server")
        if row.sender in (side, "both")
    ]


def test_the_table_has_every_method() -> None:
    """With each side that may send it, in the order of `METHODS`."""
    assert list(rows()) == expected()


@pytest.mark.parametrize(("method", "side"), expected())
@pytest.mark.parametrize("column", range(4))
async def test_a_method_does_what_the_table_says(
    method: str,
    side: Literal["client", "server"],
    *,
    column: int,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    tmp_path: Path,
) -> None:
    """Asked of the gateway; a dash is for what a side of that era cannot say."""
    said = rows()[method, side][column]
    found = await outcome(nursery, tmp_path, method, side, column)
    assert found == said


async def outcome(
    nursery: trio.Nursery,
    folder: Path,
    method: str,
    side: Literal["client", "server"],
    column: int,
) -> str:
    """What becomes of it between the eras of that column."""
    client, server = PAIRS[column]
    row = METHODS[method]
    revision = client if side == "client" else server
    asks = row.name in {"sampling/createMessage", "elicitation/create", "roots/list"}
    if row.kind == "notification" or side == "server":
        there = row.exists_in(revision) and row.sent_by(side, revision)
        if not there and not (asks and server == MODERN):
            return "—"
    world = World(nursery, folder)
    await trio.sleep(0.1)
    pair = Pair(world, client, server)
    await pair.open()
    return str(await WAYS[side, row.kind](pair, method))
