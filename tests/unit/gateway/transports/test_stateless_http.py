"""Streamable HTTP of 2026-07-28 over a real socket: one request a POST, told apart from the older revisions."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
import trio
import trio.testing

from gateway import limits
from gateway.errors import HeaderMismatch, MissingCapability, UnsupportedVersion
from gateway.jsonrpc.codec import encode, failure
from tests.fakes.sessions import FakeSession
from tests.unit.gateway.transports.asgi_client import AsgiRequest
from tests.unit.gateway.transports.serving import EVERYTHING, INITIALIZE, TOKEN, Site

VERSION = "2026-07-28"
META: dict[str, object] = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def modern(method: str, request_id: int = 1, **params: object) -> dict[str, Any]:
    """A request as a client of this revision writes it."""
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": method,
        "params": {**params, "_meta": META},
    }


def headers(method: str, **more: str) -> dict[str, str]:
    """Its headers; an empty one is left out."""
    fields = {"MCP-Protocol-Version": VERSION, "Mcp-Method": method, **more}
    return {name: value for name, value in fields.items() if value}


async def post(site: Site, method: str, *, body: object = None, **more: str) -> httpx.Response:
    """Posts a request, by itself: there is no session."""
    async with site.client() as client:
        return await client.post(
            "/mcp", json=body or modern(method), headers=headers(method, **more)
        )


def code(answer: httpx.Response) -> int:
    """The JSON-RPC code of an error that echoes the request's id."""
    body = answer.json()
    assert body["id"] == 1
    return int(body["error"]["code"])


async def test_a_request_is_answered_without_a_session(site: Site) -> None:
    """As JSON, and no session id comes with it."""
    answer = await post(site, "echo", body=modern("echo", 7, a=1))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["result"]["a"] == 1
    assert answer.json()["id"] == 7
    assert "mcp-session-id" not in answer.headers
    assert site.sessions.all == []
    assert site.sessions.stateless[0].transport == "streamable-http"


async def test_session_and_event_ids_are_ignored(site: Site) -> None:
    """They mean nothing here, whoever put them there."""
    answer = await post(site, "ping", **{"Mcp-Session-Id": "nope", "Last-Event-ID": "c1-1"})
    assert answer.status_code == 200


async def test_a_message_before_the_answer_makes_it_a_stream(site: Site) -> None:
    """Of that request alone, and without event ids: there is nothing to come back to."""
    answer = await post(site, "chatty")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.text.count("data: {") == 2
    assert "id: " not in answer.text.replace('"id":', "")


async def test_a_notification_is_202(site: Site) -> None:
    """Whatever it says: none of this revision travels this way."""
    body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"_meta": META}}
    answer = await post(site, "notifications/cancelled", body=body)
    assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize(
    ("body", "request_id"),
    [
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, 1),
        ([{"jsonrpc": "2.0", "id": 1, "method": "ping"}], None),
        ({"id": 1}, 1),
    ],
)
async def test_answers_and_batches_are_refused(
    site: Site, body: object, request_id: int | None
) -> None:
    """One request or notification a POST."""
    answer = await post(site, "ping", body=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32600
    assert answer.json()["id"] == request_id


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_it_takes_post_only(site: Site, method: str) -> None:
    """405 for what only sessions have."""
    async with site.client() as client:
        refused = await client.request(method, "/mcp", headers={"MCP-Protocol-Version": VERSION})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "meta",
    [
        None,
        {},
        {"io.modelcontextprotocol/protocolVersion": VERSION},
        {"io.modelcontextprotocol/clientCapabilities": {}},
        {**META, "io.modelcontextprotocol/clientCapabilities": 3},
    ],
)
async def test_what_meta_lacks_is_400(site: Site, meta: object) -> None:
    """With the code for wrong params, and the request's id."""
    body = modern("ping")
    body["params"] = {} if meta is None else {"_meta": meta}
    answer = await post(site, "ping", body=body)
    assert (answer.status_code, code(answer)) == (400, -32602)
    assert site.sessions.stateless == []


@pytest.mark.parametrize(
    "more",
    [
        {"MCP-Protocol-Version": ""},
        {"MCP-Protocol-Version": "2025-11-25"},
        {"Mcp-Method": ""},
        {"Mcp-Method": "tools/list"},
    ],
)
async def test_headers_that_disagree_are_400(site: Site, more: dict[str, str]) -> None:
    """Missing ones, too: a proxy would have routed something else than what is served."""
    answer = await post(site, "ping", **more)
    assert (answer.status_code, code(answer)) == (400, -32020)
    assert site.sessions.stateless == []


async def test_headers_of_a_call_are_checked_against_its_tool(site: Site) -> None:
    """The tool's name always, its arguments where its schema says so; an unknown tool has none."""
    site.sessions.schemas["roll"] = msgspec.Raw(
        b'{"type":"object","properties":{"sides":{"type":"integer","x-mcp-header":"Sides"}}}'
    )
    body = modern("tools/call", name="roll", arguments={"sides": 6})
    right = {"Mcp-Name": "roll", "Mcp-Param-Sides": "6"}
    assert code(await post(site, "tools/call", body=body, **right)) == -32601
    for wrong in ({"Mcp-Name": "rock"}, {"Mcp-Param-Sides": "7"}, {"Mcp-Param-Sides": ""}):
        answer = await post(site, "tools/call", body=body, **(right | wrong))
        assert (answer.status_code, code(answer)) == (400, -32020)
    other = modern("tools/call", name="other", arguments={"sides": 6})
    assert code(await post(site, "tools/call", body=other, **{"Mcp-Name": "other"})) == -32601
    nameless = modern("tools/call")
    assert code(await post(site, "tools/call", body=nameless)) == -32601


async def test_a_revision_that_is_not_spoken_is_400(site: Site) -> None:
    """With those that are, for the client to choose from."""
    body = modern("ping")
    body["params"]["_meta"] = META | {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    answer = await post(site, "ping", body=body, **{"MCP-Protocol-Version": "2099-01-01"})
    assert (answer.status_code, code(answer)) == (400, -32022)
    assert answer.json()["error"]["data"] == {"supported": [VERSION], "requested": "2099-01-01"}


async def test_the_era_is_not_told_by_the_method(site: Site) -> None:
    """A handshake without `_meta` under the new header is a broken modern request, and opens no session."""
    refused = await post(site, "initialize", body=INITIALIZE | {"id": 1})
    assert (refused.status_code, code(refused)) == (400, -32602)
    assert site.sessions.all == []


async def test_both_eras_are_served_at_once(site: Site) -> None:
    """Request by request, over one connection; a legacy `_meta` of the protocol's own makes nobody modern."""
    related = {"io.modelcontextprotocol/related-task": {"taskId": "t"}}
    async with site.connect() as client:
        for _ in range(2):
            new = await client.post("/mcp", json=modern("ping"), headers=headers("ping"))
            old = await client.post(
                "/mcp",
                json={"jsonrpc": "2.0", "id": 2, "method": "echo", "params": {"_meta": related}},
            )
            assert (new.json()["id"], old.json()["id"]) == (1, 2)
        garbage = await client.post(
            "/mcp",
            content=b'{"io.modelcontextprotocol',
            headers={"Content-Type": "application/json"},
        )
        assert garbage.json()["error"]["code"] == -32700
    assert len(site.sessions.stateless) == 2
    assert len(site.last.received) == 3


async def test_ill_typed_meta_is_modern_all_the_same(site: Site) -> None:
    """Without any header of this revision: the error says what is wrong, not that a session is missing."""
    body = modern("ping")
    body["params"]["_meta"] = {"io.modelcontextprotocol/protocolVersion": 7}
    answer = await post(site, "ping", body=body, **{"MCP-Protocol-Version": ""})
    assert (answer.status_code, code(answer)) == (400, -32602)


async def test_the_answers_of_a_session_may_hold_anything(site: Site) -> None:
    """What a legacy client quotes in a result does not make it modern."""
    async with site.connect() as client:
        taken = await client.post("/mcp", json={"jsonrpc": "2.0", "id": 9, "result": META})
        assert taken.status_code == 202
    assert len(site.last.received) == 2


async def test_an_unknown_method_is_404(site: Site) -> None:
    """And so an older client's probe knows at once."""
    answer = await post(site, "nope")
    assert (answer.status_code, code(answer)) == (404, -32601)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MissingCapability("no", required={"sampling": {}}), 400),
        (UnsupportedVersion("no", requested="x", supported=[VERSION]), 400),
        (HeaderMismatch("no"), 400),
    ],
)
async def test_some_codes_have_a_status(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Any, status: int
) -> None:
    """Also where the answer comes from further inside."""
    monkeypatch.setattr(
        FakeSession,
        "receive",
        lambda _, message, outlet: outlet.finish(encode(failure(error, message.id))),
    )
    answer = await post(site, "ping")
    assert (answer.status_code, code(answer)) == (status, error.code)


async def test_a_long_answer_is_not_read_again(site: Site) -> None:
    """A result that looks like anything is a result."""
    text = '"error"' * 20_000
    answer = await post(site, "echo", body=modern("echo", text=text))
    assert answer.status_code == 200
    assert answer.json()["result"]["text"] == text


async def test_what_is_refused_before_it_is_served_echoes_the_id(site: Site) -> None:
    """503, and when to try again."""
    site.health.accepting = False
    draining = await post(site, "ping")
    site.health.accepting, site.sessions.full = True, True
    for answer in (draining, await post(site, "ping")):
        assert (answer.status_code, code(answer)) == (503, -32000)
        assert answer.headers["retry-after"] == str(limits.RETRY_AFTER_S)


async def test_accept_is_obeyed(site: Site) -> None:
    """One that wants neither form gets nothing done; one that wants events gets those."""
    assert (await post(site, "ping", Accept="text/html")).status_code == 406
    assert site.sessions.stateless == []
    stream = await post(site, "ping", Accept="text/event-stream")
    assert stream.text.startswith("event: message\ndata: {")


async def test_a_client_that_leaves_has_cancelled(site: Site) -> None:
    """Before anything was sent, and in the middle of its stream."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(post, site, "later"))
        while not site.sessions.stateless:
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await site.sessions.stateless[0].was_closed.wait()
    body = msgspec.json.encode(modern("ask"))
    async with site.listen("/mcp", method="POST", body=body, **headers("ask")) as stream:
        assert "roots/list" in (await stream.event())[1]
    await site.sessions.stateless[1].was_closed.wait()


def asked(body: object, **more: str) -> AsgiRequest:
    """A request in memory."""
    made = AsgiRequest(
        "POST",
        "/mcp",
        accept=more.pop("accept", EVERYTHING),
        authorization=f"Bearer {TOKEN}",
        content_type="application/json",
        content_length="1",
        mcp_protocol_version=VERSION,
        mcp_method="later",
    )
    made.body(msgspec.json.encode(body))
    return made


@pytest.mark.parametrize("accept", [EVERYTHING, "application/json"])
async def test_a_slow_answer(autojump_clock: trio.testing.MockClock, accept: str) -> None:
    """Becomes a stream, for proxies cut silent connections; clients that accept none have to bear it."""
    site, request = Site(), asked(modern("later"), accept=accept)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.app, request.scope, request._events.receive, request._send)
        await trio.sleep(2 * limits.SSE_KEEPALIVE_S + 1)
        site.sessions.stateless[0].answer()
    is_stream = accept == EVERYTHING
    assert request.headers[b"content-type"] == (
        b"text/event-stream" if is_stream else b"application/json"
    )
    assert (b": keep-alive" in request.answer) is is_stream
    assert b'"result":{}' in request.answer
    assert request.ended


async def test_cancelled_while_it_waits(autojump_clock: trio.testing.MockClock) -> None:
    """The request is cancelled, too."""
    site, request = Site(), asked(modern("later"))
    with trio.move_on_after(1):
        await site.app(request.scope, request._events.receive, request._send)
    assert site.sessions.stateless[0].closed


async def test_a_request_that_nobody_answers_is_202(site: Site) -> None:
    """The POST has to end somehow."""
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            assert (await post(site, "later")).status_code == 202

        nursery.start_soon(ask)
        while not site.sessions.stateless:
            await trio.testing.wait_all_tasks_blocked()
        await site.sessions.stateless[0].has_waiting.wait()
        site.sessions.stateless[0].waiting.pop()[1].finish(None)
