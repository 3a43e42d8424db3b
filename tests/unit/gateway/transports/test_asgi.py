"""What goes wrong while a request is served costs that request only."""

from __future__ import annotations

import pytest

from gateway.errors import Unavailable
from tests.unit.gateway.transports.asgi_client import AsgiRequest
from tests.unit.gateway.transports.serving import Site, request


async def test_an_error_of_ours_refuses_one_websocket(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As it costs a request."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(site.sessions, "open", fail)
    async with site.client() as client:
        failed = await client.get(
            "/ws",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Protocol": "mcp",
            },
        )
    assert failed.status_code == 500
    assert "inside" not in failed.text
    assert "request_failed" in caplog.text


async def test_an_error_of_ours_costs_one_request(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A 500 that says nothing of the inside; the log has it, once; the next request works."""
    async with site.connect() as client:

        def fail(*_: object) -> None:
            raise ZeroDivisionError("inside")

        with monkeypatch.context() as patch:
            patch.setattr(type(site.last), "receive", fail)
            failed = await client.post("/mcp", json=request("ping"))
        assert failed.status_code == 500
        assert "inside" not in failed.text
        assert [record.getMessage() for record in caplog.records].count("request_failed") == 1
        assert (await client.post("/mcp", json=request("ping"))).status_code == 200


async def test_an_error_in_an_answer_under_way_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second answer is tried."""
    site = Site()
    asked = AsgiRequest(
        "GET", "/sse", accept="text/event-stream", authorization="Bearer test-token"
    )

    async def break_off(call: object, *_: object) -> None:
        await asked._send({"type": "http.response.start", "status": 200, "headers": []})
        call.started = True  # type: ignore[attr-defined]
        raise Unavailable("gone")

    monkeypatch.setattr("gateway.transports.sse.stream_events", break_off)
    await site.app(asked.scope, asked._events.receive, asked._send)
    assert len(asked.sent) == 1


async def test_a_client_that_leaves_is_not_answered() -> None:
    """Half a body, then nothing."""
    asked = AsgiRequest(
        "POST",
        "/mcp",
        authorization="Bearer test-token",
        content_type="application/json",
        content_length="10",
    )
    asked.leave()
    await Site().app(asked.scope, asked._events.receive, asked._send)
    assert asked.sent == []
