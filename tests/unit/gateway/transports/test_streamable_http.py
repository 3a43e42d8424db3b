"""Streamable HTTP over a real socket: every method, every status the specification names, bad input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import httpx
import msgspec
import pytest
import trio
import trio.testing

from gateway import limits
from gateway.jsonrpc.messages import Notification, Result
from gateway.ports import Principal
from tests.unit.gateway.transports.asgi_client import AsgiRequest
from tests.unit.gateway.transports.serving import INITIALIZE, Site, request


def error(response: httpx.Response) -> tuple[int, object, int]:
    """Status, id and code of an error answer."""
    body = response.json()
    return response.status_code, body["id"], body["error"]["code"]


def session(client: httpx.AsyncClient) -> dict[str, str]:
    """The header that names a client's session."""
    return {"Mcp-Session-Id": client.headers["Mcp-Session-Id"]}


async def test_initialize_opens_a_session(site: Site) -> None:
    """The id comes in a header, of visible ASCII."""
    async with site.client() as client:
        answer = await client.post("/mcp", json=INITIALIZE)
    assert answer.status_code == 200
    assert answer.json()["result"]["protocolVersion"] == "2025-06-18"
    assert answer.headers["mcp-session-id"] == "session-1"
    assert (site.last.transport, site.last.closed) == ("streamable-http", False)


async def test_a_refused_handshake_leaves_no_session(site: Site) -> None:
    """The client could not name it anyway."""
    async with site.client() as client:
        answer = await client.post("/mcp", json=request("initialize"))
    assert "error" in answer.json()
    assert "mcp-session-id" not in answer.headers
    assert site.last.closed


async def test_a_request_is_answered_with_json(site: Site) -> None:
    """The usual case."""
    async with site.connect() as client:
        answer = await client.post("/mcp", json=request("echo", 7, a=[1, "ü"]))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"jsonrpc": "2.0", "id": 7, "result": {"a": [1, "ü"]}}


async def test_a_message_before_the_answer_makes_it_a_stream(site: Site) -> None:
    """The stream ends with the answer, and the connection lives on."""
    async with site.connect() as client:
        answer = await client.post("/mcp", json=request("chatty", 7))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        first, second, rest = answer.text.split("\n\n")
        assert '"notifications/message"' in first
        assert second.startswith("event: message\nid: ")
        assert second.endswith('\ndata: {"jsonrpc":"2.0","id":7,"result":{}}')
        assert rest == ""
        assert (await client.post("/mcp", json=request("ping"))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 9, "result": {}},
        {"jsonrpc": "2.0", "id": 9, "error": {"code": 1, "message": "no"}},
    ],
)
async def test_what_is_owed_no_answer_is_202(site: Site, body: dict[str, object]) -> None:
    """Without a body."""
    async with site.connect() as client:
        accepted = await client.post("/mcp", json=body)
    assert (accepted.status_code, accepted.content) == (202, b"")
    assert len(site.last.received) == 2


async def test_a_request_of_the_server_comes_on_the_stream_of_the_call(site: Site) -> None:
    """And its answer by a POST of its own, while the call waits."""
    body = msgspec.json.encode(request("ask", 7))
    async with (
        site.connect() as client,
        site.listen("/mcp", method="POST", body=body, **session(client)) as stream,
    ):
        assert '"id":"ask-7","method":"roots/list"' in (await stream.event())[1]
        reply = {"jsonrpc": "2.0", "id": "ask-7", "result": {"roots": []}}
        assert (await client.post("/mcp", json=reply)).status_code == 202
        assert isinstance(site.last.received[-1], Result)
        site.last.answer()
        assert '"id":7' in (await stream.event())[1]
        assert await stream.event() == ("", "")


async def test_a_cancelled_request_is_202(site: Site) -> None:
    """No answer is due, but the POST has to end."""
    async with site.connect() as client, trio.open_nursery() as nursery:

        async def post() -> None:
            ended = await client.post("/mcp", json=request("later"))
            assert (ended.status_code, ended.content) == (202, b"")

        nursery.start_soon(post)
        await site.last.has_waiting.wait()
        site.last.waiting.pop()[1].finish(None)


async def test_a_client_that_vanishes_has_not_cancelled(site: Site) -> None:
    """In these revisions the call goes on; its answer goes nowhere, and the session serves the next."""
    async with site.connect() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(client.post, "/mcp", json=request("later")))
            await site.last.has_waiting.wait()
            nursery.cancel_scope.cancel()
        assert not site.last.closed
        site.last.answer()
        assert (await client.post("/mcp", json=request("ping"))).status_code == 200


async def test_the_standing_stream_carries_what_belongs_to_no_request(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the client has left and not come back; then the session forgets it, and lives on."""
    monkeypatch.setattr(limits, "RESUME_KEEP_S", 0.01)
    async with site.connect() as client:
        async with site.listen("/mcp", **session(client)) as stream:
            assert stream.headers["content-type"] == "text/event-stream"
            site.last.notify()
            assert "list_changed" in (await stream.event())[1]
        await site.last.was_detached.wait()
        assert not site.last.closed


async def test_a_newer_standing_stream_takes_over(site: Site) -> None:
    """A client that reconnects gets its messages, not the half-dead connection it left."""
    async with (
        site.connect() as client,
        site.listen("/mcp", **session(client)) as old,
        site.listen("/mcp", **session(client)) as new,
    ):
        assert await old.event() == ("", "")
        site.last.notify()
        assert "list_changed" in (await new.event())[1]


async def test_delete_ends_the_session_and_its_stream(site: Site) -> None:
    """Afterwards the id is unknown."""
    async with site.connect() as client, site.listen("/mcp", **session(client)) as stream:
        assert (await client.delete("/mcp")).status_code == 204
        assert await stream.event() == ("", "")
        assert site.last.closed
        for late in (
            await client.post("/mcp", json=request("ping")),
            await client.get("/mcp"),
            await client.delete("/mcp"),
        ):
            assert late.status_code == 404
            assert "initialize" in late.json()["error"]["message"]


async def test_a_session_belongs_to_who_opened_it(site: Site) -> None:
    """The id alone is no key: for anybody else it does not exist."""
    async with site.connect() as client:
        site.last.principal = Principal("somebody else")
        assert (await client.post("/mcp", json=request("ping"))).status_code == 404
        assert (await client.delete("/mcp")).status_code == 404
        assert not site.last.closed


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_a_missing_session_id_is_400(site: Site, method: str) -> None:
    """Everything but initialize needs it."""
    async with site.client() as client:
        body = {"json": request("ping")} if method == "POST" else {}
        refused = await client.request(method, "/mcp", **body)  # type: ignore[arg-type]
    assert refused.status_code == 400
    assert "Mcp-Session-Id" in refused.json()["error"]["message"]


async def test_an_unknown_revision_is_400(site: Site) -> None:
    """A known one, another than the negotiated, passes; a handshake needs none, and may be from the future."""
    async with site.connect() as client:
        client.headers["MCP-Protocol-Version"] = "1999-01-01"
        refused = await client.post("/mcp", json=request("ping"))
        assert refused.status_code == 400
        assert "2025-11-25" in refused.json()["error"]["message"]
        client.headers["MCP-Protocol-Version"] = "2025-03-26"
        assert (await client.post("/mcp", json=request("ping"))).status_code == 200
        del client.headers["Mcp-Session-Id"]
        client.headers["MCP-Protocol-Version"] = "2027-01-01"
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0"])
async def test_an_answer_that_is_not_accepted_is_406(site: Site, accept: str) -> None:
    """Nothing is done before that is known."""
    async with site.connect() as client:
        headers = {"Accept": accept}
        refused = await client.post("/mcp", json=request("ping"), headers=headers)
    assert refused.status_code == 406
    assert len(site.last.received) == 1


async def test_the_standing_stream_wants_events_accepted(site: Site) -> None:
    """406, with the media type."""
    async with site.connect() as client:
        refused = await client.get("/mcp", headers={"Accept": "application/json"})
    assert refused.status_code == 406
    assert "text/event-stream" in refused.json()["error"]["message"]


async def test_clients_that_accept_one_form_get_that_form(site: Site) -> None:
    """Shell scripts accept JSON only; messages before the answer are not for them."""
    async with site.connect() as client:
        plain = await client.post(
            "/mcp", json=request("chatty", 1), headers={"Accept": "application/json"}
        )
        assert plain.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
        stream = await client.post(
            "/mcp", json=request("ping", 1), headers={"Accept": "text/event-stream"}
        )
        assert stream.text.startswith("event: message\nid: ")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_is_not_declared_as_json_is_415(
    site: Site, content_type: str | None
) -> None:
    """A page can send such a body across origins without a preflight."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with site.connect() as client:
        refused = await client.post("/mcp", content=b"{}", headers=headers)
    assert refused.status_code == 415


BAD_INPUT = {
    "not JSON": (b"hello", None, -32700),
    "half a message": (b'{"jsonrpc":"2.0","id":1', None, -32700),
    "nothing": (b"", None, -32700),
    "invalid UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', None, -32700),
    "deep nesting": (
        b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":%b}}'
        % (b"[" * 10_000 + b"]" * 10_000),
        None,
        -32700,
    ),
    "two objects": (b'{"jsonrpc":"2.0","id":1,"method":"ping"}' * 2, None, -32700),
    "lone surrogate": (
        rb'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":"\ud800"}}',
        None,
        -32700,
    ),
    "a batch": (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', None, -32600),
    "a number": (b"1", None, -32600),
    "no version": (b'{"id":1,"method":"ping"}', 1, -32600),
    "null id": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600),
    "params that are no object": (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":3}',
        1,
        -32600,
    ),
    "unknown method": (b'{"jsonrpc":"2.0","id":1,"method":"nope"}', 1, -32601),
}


@pytest.mark.parametrize("name", BAD_INPUT)
async def test_bad_input_costs_one_request(site: Site, name: str) -> None:
    """It gets the error the specification names, and the same connection goes on."""
    body, request_id, code = BAD_INPUT[name]
    async with site.connect(**{"Content-Type": "application/json"}) as client:
        answer = await client.post("/mcp", content=body)
        assert error(answer)[1:] == (request_id, code)
        assert answer.status_code == (200 if code == -32601 else 400)
        assert (await client.post("/mcp", json=request("ping"))).status_code == 200


async def test_raw_newlines_and_duplicate_keys_stay_one_message(site: Site) -> None:
    """Pretty-printed bodies are usual; what comes back is one line."""
    body = b'{\r\n"jsonrpc":"2.0",\n"id":1,"method":"echo",\n"params":\n{"a":1,\n\n"a":2}\r\n}\n'
    async with site.connect(**{"Content-Type": "application/json"}) as client:
        answer = await client.post("/mcp", content=body)
        assert answer.json()["result"] == {"a": 2}
        assert b"\n" not in answer.content
    assert len(site.last.received) == 2


async def test_a_body_that_is_too_long_is_413(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared or not; the client gets to read the answer."""
    monkeypatch.setattr(limits, "MAX_FRAME_BYTES", limits.MIB)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * limits.MIB

    async with site.connect(**{"Content-Type": "application/json"}) as client:
        declared = await client.post("/mcp", content=b" " * (3 * limits.MIB))
        assert (declared.status_code, declared.headers["connection"]) == (413, "close")
        assert (await client.post("/mcp", content=chunks())).status_code == 413
        assert (await client.post("/mcp", json=request("ping"))).status_code == 200


async def test_large_answers_arrive_whole(site: Site) -> None:
    """Screenshots have megabytes."""
    text = "x" * (4 * limits.MIB)
    async with site.connect() as client:
        answer = await client.post("/mcp", json=request("echo", text=text))
        assert answer.json()["result"] == {"text": text}


async def test_a_slow_answer_becomes_a_stream(autojump_clock: trio.testing.MockClock) -> None:
    """Proxies cut silent connections; clients that accept no events have to bear it."""
    site = Site()
    session = site.sessions.open(Principal("p"), transport="streamable-http")
    site.sessions.find = lambda *_: session  # type: ignore[method-assign]
    for accept, kind in (("*/*", b"text/event-stream"), ("application/json", b"application/json")):
        asked = AsgiRequest(
            "POST",
            "/mcp",
            accept=accept,
            authorization="Bearer test-token",
            content_type="application/json",
            content_length="1",
            mcp_session_id=session.id,
        )
        asked.body(b'{"jsonrpc":"2.0","id":1,"method":"later"}')
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.app, asked.scope, asked._events.receive, asked._send)
            await trio.sleep(3 * limits.SSE_KEEPALIVE_S + 1)
            session.answer()
        assert asked.headers[b"content-type"] == kind
        assert asked.answer.count(b": keep-alive") == (2 if kind == b"text/event-stream" else 0)
        assert b'"result":{}' in asked.answer
        assert asked.ended


async def test_notifications_reach_the_session_in_order(site: Site) -> None:
    """One client, one connection, no overtaking."""
    async with site.connect() as client:
        for number in range(5):
            body = {"jsonrpc": "2.0", "method": f"notifications/{number}"}
            await client.post("/mcp", json=body)
    methods = [m.method for m in site.last.received if isinstance(m, Notification)]
    assert methods == [f"notifications/{number}" for number in range(5)]


BATCH = '[{"jsonrpc":"2.0","id":1,"method":"%s"},{"jsonrpc":"2.0","id":2,"method":"ping"}]'


async def test_batches_of_2025_03_26(site: Site) -> None:
    """Answered as one array, or event by event; 202 where nothing is owed; never empty."""
    async with site.connect(**{"Content-Type": "application/json"}) as client:
        site.last.protocol_version = "2025-03-26"
        plain = await client.post("/mcp", content=BATCH % "ping")
        assert plain.headers["content-type"] == "application/json"
        assert [answer["id"] for answer in plain.json()] == [1, 2]
        stream = await client.post("/mcp", content=BATCH % "chatty")
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.text.count("data: {") == 3
        note = await client.post("/mcp", content='[{"jsonrpc":"2.0","method":"notifications/x"}]')
        assert (note.status_code, note.content) == (202, b"")
        assert error(await client.post("/mcp", content="[]")) == (400, None, -32600)
        del client.headers["Mcp-Session-Id"]
        assert (await client.post("/mcp", content=BATCH % "ping")).status_code == 400
