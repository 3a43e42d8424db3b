"""The in-process client: what it asks, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from gateway.cli.client import Client
from gateway.errors import GatewayError, UnknownTarget
from gateway.jsonrpc.messages import Failure, Message, Notification, Request
from gateway.limits import INITIALIZE_TIMEOUT_S, LIST_TIMEOUT_S, UNCACHED_LIST_WAIT_S
from gateway.ports import ClientSession, Outlet, Principal

Answer = Callable[[Request, Outlet], None]


class ScriptedSession:
    """A session whose answers the test writes; `received` holds what the client sent."""

    id = "s"
    principal = Principal("local")
    protocol_version = "2025-11-25"

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.received: list[Message] = []
        self.outlet: Outlet | None = None
        self.closed = False
        self._answers = {"initialize": answer({"protocolVersion": "2025-11-25"}), **answers}

    def receive(self, message: Message, outlet: Outlet) -> None:
        """Answers as scripted."""
        self.received.append(message)
        if isinstance(message, Request):
            self._answers[message.method](message, outlet)

    def attach(self, outlet: Outlet) -> None:
        """Names the outlet of messages that belong to no request."""
        self.outlet = outlet

    def detach(self, outlet: Outlet) -> None:
        """Forgets it."""
        if self.outlet is outlet:
            self.outlet = None

    def close(self) -> None:
        """Ends the session."""
        self.closed = True


class OneSession:
    """Sessions of which there is one."""

    def __init__(self, session: ScriptedSession) -> None:
        self.session = session

    def open(self, principal: Principal, *, transport: str) -> ClientSession:
        """Opens it."""
        assert (principal.name, transport) == ("local", "terminal")
        return self.session

    def find(self, session_id: str, principal: Principal) -> ClientSession | None:
        """Nobody looks."""
        raise NotImplementedError


def frame(message: Mapping[str, Any]) -> bytes:
    """One message as bytes."""
    return msgspec.json.encode({"jsonrpc": "2.0", **message})


def answer(result: object) -> Answer:
    """Answers at once."""
    return lambda request, outlet: outlet.finish(frame({"id": request.id, "result": result}))


def params_of(message: Message) -> dict[str, Any]:
    """What a message carries."""
    params = getattr(message, "params", None)
    return {} if params is None else msgspec.json.decode(params)


def connect(
    on_notice: Callable[[str, Mapping[str, Any]], None] | None = None, **answers: Answer
) -> tuple[Client, ScriptedSession]:
    """A client, and the session that it talks to; `tools_list=` scripts `tools/list`."""
    session = ScriptedSession({name.replace("_", "/"): made for name, made in answers.items()})
    return Client(OneSession(session), on_notice=on_notice), session


async def test_handshake_and_farewell() -> None:
    """The client shakes hands as any client, takes loose messages, and leaves."""
    client, session = connect()
    assert (await client.initialize())["protocolVersion"] == "2025-11-25"
    assert session.outlet is client
    assert [getattr(message, "method", "") for message in session.received] == [
        "initialize",
        "notifications/initialized",
    ]
    client.close()
    assert (session.closed, session.outlet) == (True, None)


async def test_lists_follow_pages() -> None:
    """All pages are one list."""

    def pages(request: Request, outlet: Outlet) -> None:
        if params_of(request).get("cursor") == "2":
            answer({"tools": [{"name": "b"}]})(request, outlet)
        else:
            answer({"tools": [{"name": "a"}], "nextCursor": "2"})(request, outlet)

    client, _ = connect(tools_list=pages)
    assert [tool["name"] for tool in await client.list_tools()] == ["a", "b"]


async def test_lists_wait_for_servers_listed_for_the_first_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A list that was answered without a slow server says nothing of it: what the servers do is waited for."""
    late = False

    async def settled() -> None:
        nonlocal late
        await trio.sleep(2 * UNCACHED_LIST_WAIT_S)
        late = True

    def answers(request: Request, outlet: Outlet) -> None:
        answer({"tools": [{"name": "b"}, *([{"name": "a"}] if late else [])]})(request, outlet)

    session = ScriptedSession({"tools/list": answers})
    client = Client(OneSession(session), settled=settled)
    assert (await client.tool("b"), late) == ({"name": "b"}, False)  # nobody else is waited for
    assert (await client.tool("a"), late) == ({"name": "a"}, True)
    late = False
    assert await client.list_tools() == [{"name": "b"}, {"name": "a"}]


async def test_lists_wait_for_no_server_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    """One that does not come is left out."""
    session = ScriptedSession({"tools/list": answer({"tools": []})})
    client = Client(OneSession(session), settled=trio.sleep_forever)
    begun = trio.current_time()
    assert await client.list_tools() == []
    assert trio.current_time() - begun == INITIALIZE_TIMEOUT_S + LIST_TIMEOUT_S


async def test_unknown_tool_is_named_with_a_near_one() -> None:
    """A misspelt tool is no call."""
    client, session = connect(tools_list=answer({"tools": [{"name": "roll"}]}))
    with pytest.raises(UnknownTarget, match=r"there is no tool 'rol' \(did you mean roll\?\)"):
        await client.tool("rol")
    assert (await client.tool("roll"))["name"] == "roll"
    assert all(getattr(message, "method", "") != "tools/call" for message in session.received)


async def test_bare_name_of_colliding_tools_names_them() -> None:
    """Nothing in `a__roll` resembles `roll` to a spelling check, and yet it is meant."""
    tools = [{"name": "a__roll"}, {"name": "b__roll"}, {"name": "scroll"}]
    client, _ = connect(tools_list=answer({"tools": tools}))
    with pytest.raises(UnknownTarget, match=r"\(did you mean a__roll or b__roll\?\)"):
        await client.tool("roll")


async def test_call_sends_arguments_and_hears_progress() -> None:
    """Notifications on the way are told; the result comes whole."""

    def work(request: Request, outlet: Outlet) -> None:
        outlet.send(frame({"method": "notifications/progress", "params": {"progress": 1}}))
        answer({"content": [], "structuredContent": {"n": 1}})(request, outlet)

    heard: list[tuple[str, Mapping[str, Any]]] = []
    client, session = connect(
        lambda method, params: heard.append((method, params)), tools_call=work
    )
    result = await client.call_tool("roll", {"dice": "d6"})
    assert result["structuredContent"] == {"n": 1}
    assert heard == [("notifications/progress", {"progress": 1})]
    sent = params_of(session.received[-1])
    assert (sent["name"], sent["arguments"]) == ("roll", {"dice": "d6"})
    assert "progressToken" in sent["_meta"]


async def test_error_answer_becomes_its_sentence_and_code() -> None:
    """What the gateway answers is what a person reads."""

    def fail(request: Request, outlet: Outlet) -> None:
        outlet.finish(frame({"id": request.id, "error": {"code": -32602, "message": "no such"}}))

    client, _ = connect(tools_call=fail)
    with pytest.raises(GatewayError, match="no such") as caught:
        await client.call_tool("x", {})
    assert caught.value.code == -32602


async def test_cancelled_call_is_withdrawn() -> None:
    """Ctrl-C tells the gateway that nobody waits any more."""
    client, session = connect(tools_call=lambda _request, _outlet: None)
    with trio.move_on_after(0):
        await client.call_tool("x", {})
    last = session.received[-1]
    assert isinstance(last, Notification)
    assert last.method == "notifications/cancelled"
    assert params_of(last) == {"requestId": 1}


async def test_answer_that_never_comes() -> None:
    """An exchange that ends without an answer is an error, not a hang."""
    client, _ = connect(tools_call=lambda _request, outlet: outlet.finish(None))
    with pytest.raises(GatewayError, match="cancelled"):
        await client.call_tool("x", {})


async def test_requests_of_servers_are_refused() -> None:
    """This client declared nothing, so it answers nothing; loose notifications are told."""
    heard: list[str] = []
    client, session = connect(lambda method, _: heard.append(method))
    client.send(frame({"id": 7, "method": "roots/list"}))
    refusal = session.received[-1]
    assert isinstance(refusal, Failure)
    assert (refusal.id, refusal.code) == (7, -32601)
    client.send(frame({"method": "notifications/message"}))
    client.finish(None)
    assert heard == ["notifications/message"]
