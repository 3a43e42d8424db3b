"""The SSE transport of 2024-11-05 over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import httpx
import msgspec
import pytest

from gateway.ports import Principal
from tests.unit.gateway.transports.serving import INITIALIZE, EventStream, Site, request


class Stream:
    """An open stream and the address to post to."""

    def __init__(self, events: EventStream, client: httpx.AsyncClient, address: str) -> None:
        self.event = events.event
        self.client = client
        self.address = address

    async def post(self, body: object) -> httpx.Response:
        """Sends one message."""
        return await self.client.post(self.address, json=body)


@asynccontextmanager
async def opened(site: Site) -> AsyncIterator[Stream]:
    """Opens the stream, and resolves the endpoint as clients do."""
    async with site.client() as client, site.listen("/sse") as events:
        assert events.status == 200
        name, reference = await events.event()
        assert name == "endpoint"
        address = urljoin(f"http://127.0.0.1:{site.port}/sse", reference)
        yield Stream(events, client, address)


async def test_the_endpoint_is_relative(site: Site) -> None:
    """So that it holds behind a proxy that prefixes paths or maps ports."""
    async with opened(site) as stream:
        assert stream.address == f"http://127.0.0.1:{site.port}/sse?sessionId=session-1"
        base = "https://proxy.example/tools/sse"
        assert urljoin(base, "?sessionId=s") == "https://proxy.example/tools/sse?sessionId=s"


async def test_answers_come_on_the_stream(site: Site) -> None:
    """The POST itself is only accepted."""
    async with opened(site) as stream:
        accepted = await stream.post(INITIALIZE)
        assert (accepted.status_code, accepted.text) == (202, "Accepted")
        name, data = await stream.event()
        assert name == "message"
        assert msgspec.json.decode(data)["id"] == 0
        await stream.post(request("chatty", 2))
        assert "notifications/message" in (await stream.event())[1]
        assert msgspec.json.decode((await stream.event())[1]) == {
            "jsonrpc": "2.0",
            "id": 2,
            "result": {},
        }


async def test_answers_may_overtake_each_other(site: Site) -> None:
    """A slow call holds up nobody."""
    async with opened(site) as stream:
        await stream.post(request("later", 1))
        await stream.post(request("ping", 2))
        assert '"id":2' in (await stream.event())[1]
        site.last.answer()
        assert '"id":1' in (await stream.event())[1]


async def test_what_belongs_to_no_request_comes_on_the_stream(site: Site) -> None:
    """There is only one."""
    async with opened(site) as stream:
        site.last.notify()
        assert "list_changed" in (await stream.event())[1]


async def test_a_client_that_leaves_ends_its_session(site: Site) -> None:
    """Its calls and containers go with it."""
    async with opened(site) as stream:
        await stream.post(request("later"))
        session = site.last
    await session.was_closed.wait()


async def test_a_session_that_closes_ends_the_stream(site: Site) -> None:
    """Expiry or shutdown: the client sees an orderly end."""
    async with opened(site) as stream:
        site.last.close()
        assert await stream.event() == ("", "")


@pytest.mark.parametrize("name", ["sessionId", "sessionid", "session_id"])
async def test_every_spelling_of_the_parameter_is_known(site: Site, name: str) -> None:
    """Clients that build the address themselves follow the server they grew up with."""
    async with opened(site) as stream:
        address = f"/messages?{name}={site.last.id}"
        assert (await stream.client.post(address, json=request("ping"))).status_code == 202


async def test_a_post_without_a_stream_is_refused(site: Site) -> None:
    """No session 400, none of that name, or somebody else's, 404."""
    async with opened(site) as stream:
        assert (await stream.client.post("/sse", json=request("ping"))).status_code == 400
        unknown = await stream.client.post("/sse?sessionId=nope", json=request("ping"))
        assert unknown.status_code == 404
        site.last.principal = Principal("somebody else")
        assert (await stream.post(request("ping"))).status_code == 404


async def test_a_session_of_the_other_transport_has_no_stream(site: Site) -> None:
    """Its answers would have nowhere to go."""
    async with site.connect() as client:
        address = f"/sse?sessionId={site.last.id}"
        assert (await client.post(address, json=request("ping"))).status_code == 404


async def test_a_malformed_message_is_refused_and_the_stream_goes_on(site: Site) -> None:
    """As on the other HTTP transport."""
    async with opened(site) as stream:
        refused = await stream.client.post(
            stream.address, content=b"{", headers={"Content-Type": "application/json"}
        )
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == -32700
        await stream.post(request("ping", 3))
        assert '"id":3' in (await stream.event())[1]


async def test_events_have_to_be_accepted(site: Site) -> None:
    """406, and no session is opened for nothing."""
    async with site.client(Accept="application/json") as client:
        assert (await client.get("/sse")).status_code == 406
    assert site.sessions.all == []
