"""Who may ask, what is served where, and how a refusal reads: over a real socket."""

from __future__ import annotations

import httpx
import pytest

from gateway.auth.bearer import Open
from gateway.transports.front import session_of
from gateway.transports.request_head import RequestHead
from tests.unit.gateway.transports.serving import INITIALIZE, Site, request, serving

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def message(response: httpx.Response) -> str:
    """The sentence of a refusal, which is always a JSON-RPC error."""
    body = response.json()
    assert body["jsonrpc"] == "2.0"
    return str(body["error"]["message"])


@pytest.mark.parametrize(
    ("query", "headers", "session"),
    [
        (b"", {}, None),
        (b"", {b"mcp-session-id": b"s1"}, "s1"),
        (b"sessionId=s2", {}, "s2"),
        (b"session_id=s2", {b"mcp-session-id": b"s1"}, "s1"),
    ],
)
def test_a_request_names_its_session_in_a_header_or_in_its_address(
    query: bytes, headers: dict[bytes, bytes], session: str | None
) -> None:
    """Streamable HTTP and SSE; whether there is such a session is another question."""
    assert session_of(RequestHead("POST", "/", query, headers, "http")) == session


async def test_no_token_is_401_with_a_challenge(site: Site) -> None:
    """The sentence says where to get the token, the header what to send."""
    async with site.client() as client:
        del client.headers["Authorization"]
        refused = await client.post("/mcp", json=INITIALIZE)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="mcpgw"'
    assert "mcpgw token show" in message(refused)
    assert site.sessions.all == []


async def test_a_wrong_token_is_401(site: Site) -> None:
    """On every endpoint."""
    async with site.client(Authorization="Bearer wrong") as client:
        for method, path in (
            ("POST", "/mcp"),
            ("GET", "/mcp"),
            ("DELETE", "/mcp"),
            ("GET", "/sse"),
        ):
            assert (await client.request(method, path)).status_code == 401


async def test_a_foreign_host_is_refused_before_the_token_is_looked_at(site: Site) -> None:
    """A rebound page must not learn even that."""
    async with site.client(Host="evil.example.com", Authorization="Bearer wrong") as client:
        refused = await client.post("/mcp", json=INITIALIZE)
    assert refused.status_code == 403
    assert "--allow-host evil.example.com" in message(refused)


async def test_a_foreign_origin_is_refused(site: Site) -> None:
    """With the token too; and no CORS header tells the page anything."""
    async with site.client(Origin="http://evil.example.com") as client:
        refused = await client.post("/mcp", json=INITIALIZE)
    assert refused.status_code == 403
    assert "--allow-origin http://evil.example.com" in message(refused)
    assert "access-control-allow-origin" not in refused.headers


async def test_localhost_passes_by_name_and_as_origin(site: Site) -> None:
    """With any port."""
    async with site.client(Host=f"localhost:{site.port}", Origin="http://localhost:6274") as client:
        answered = await client.post("/mcp", json=INITIALIZE)
    assert answered.status_code == 200
    assert "access-control-allow-origin" not in answered.headers


async def test_a_preflight_of_an_allowed_origin_is_answered_without_token() -> None:
    """Browsers send none with it; the real request still needs it, and may read why it failed."""
    origin = "https://app.example"
    async with serving(Site(allow_origins=(origin,))) as site, site.client(Origin=origin) as client:
        del client.headers["Authorization"]
        preflight = await client.options(
            "/mcp",
            headers={
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, mcp-param-Sides,x-other, mcp-param-a b",
            },
        )
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        allowed = preflight.headers["access-control-allow-headers"]
        assert {"Authorization", "Mcp-Method", "mcp-param-Sides"} <= set(allowed.split(", "))
        assert "x-other" not in allowed
        assert "mcp-param-a" not in allowed
        assert "DELETE" in preflight.headers["access-control-allow-methods"]
        refused = await client.post("/mcp", json=INITIALIZE)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == origin
        client.headers["Authorization"] = "Bearer test-token"
        answered = await client.post("/mcp", json=INITIALIZE)
        assert answered.headers["access-control-expose-headers"].startswith("Mcp-Session-Id")
        assert answered.headers["vary"] == "Origin"


async def test_a_preflight_of_any_other_origin_gets_nothing(site: Site) -> None:
    """Neither a foreign page nor one of localhost."""
    async with site.client(Origin="http://evil.example.com") as client:
        assert (await client.options("/mcp")).status_code == 403
    async with site.client(Origin="http://localhost:1") as client:
        refused = await client.options("/mcp")
        assert refused.status_code == 405
        assert "access-control-allow-origin" not in refused.headers


async def test_health_needs_neither_token_nor_host(site: Site) -> None:
    """Probes call by whatever name they know."""
    async with site.client(Host="balancer.example") as client:
        del client.headers["Authorization"]
        assert (await client.get("/health")).status_code == 200
        assert (await client.head("/health")).status_code == 200
        site.health.accepting = False
        assert (await client.get("/health")).status_code == 503


async def test_the_state_is_for_who_may_use_the_gateway(site: Site) -> None:
    """It names servers: neither strangers nor foreign pages see it."""
    async with site.client() as client:
        told = await client.get("/status")
        assert (told.status_code, told.json()) == (200, site.health.report())
        assert told.headers["cache-control"] == "no-store"
        assert (await client.post("/status")).status_code == 405
        client.headers["Host"] = "evil.example.com"
        assert (await client.get("/status")).status_code == 403
        client.headers["Host"] = "localhost"
        del client.headers["Authorization"]
        refused = await client.get("/status")
        assert refused.status_code == 401
        assert "private-name" not in refused.text


async def test_while_nothing_new_is_accepted_requests_are_503(site: Site) -> None:
    """With a time to come back; what ends work still passes."""
    async with site.connect() as client:
        site.health.accepting = False
        for refused in (
            await client.post("/mcp", json=request("ping")),
            await client.get("/sse"),
        ):
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "2"
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}}
        assert (await client.post("/mcp", json=cancelled)).status_code == 202
        assert (await client.delete("/mcp")).status_code == 204


async def test_too_many_sessions_are_503(site: Site) -> None:
    """The sessions' own bound."""
    site.sessions.full = True
    async with site.client() as client:
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 503
        assert (await client.get("/sse")).status_code == 503


async def test_an_address_that_does_not_exist_is_404_without_token(site: Site) -> None:
    """Clients look for OAuth metadata after a 401, and must learn that there is none."""
    async with site.client() as client:
        del client.headers["Authorization"]
        missing = await client.get("/.well-known/oauth-protected-resource")
    assert missing.status_code == 404
    assert "/mcp" in message(missing)


async def test_a_method_that_does_not_exist_is_405(site: Site) -> None:
    """And the answer lists those that do."""
    async with site.client() as client:
        refused = await client.put("/mcp", json={})
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST, DELETE")
        refused = await client.delete("/sse")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")


async def test_a_browser_gets_the_help_page(site: Site) -> None:
    """Without a token, and without seeing one."""
    async with site.client(Accept=BROWSER) as client:
        del client.headers["Authorization"]
        page = await client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert f"http://127.0.0.1:{site.port}/mcp" in page.text
    assert "/opt/mcpgw.pyz" in page.text
    assert "test-token" not in page.text


async def test_the_root_serves_streamable_http(site: Site) -> None:
    """POST, GET with a session, and DELETE, as at /mcp."""
    async with site.client() as client:
        opened = await client.post("/", json=INITIALIZE)
        client.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        async with site.listen(
            "/", Accept="text/event-stream", **{"Mcp-Session-Id": site.last.id}
        ) as stream:
            assert stream.status == 200
            site.last.close()
            assert await stream.event() == ("", "")
        assert (await client.delete("/")).status_code == 404


async def test_the_root_serves_sse(site: Site) -> None:
    """GET for events by name, and POST with the session in the query."""
    async with site.client() as client, site.listen("/", Accept="text/event-stream") as stream:
        name, reference = await stream.event()
        assert name == "endpoint"
        assert (await client.post(f"/{reference}", json=INITIALIZE)).status_code == 202
        assert site.last.transport == "sse"


async def test_a_slash_at_the_end_does_not_matter(site: Site) -> None:
    """People paste addresses with and without."""
    async with site.client() as client:
        assert (await client.post("/mcp/", json=INITIALIZE)).status_code == 200


async def test_an_open_gateway_lets_everybody_in() -> None:
    """`--allow-unauthenticated`: no header, still Host and Origin."""
    async with serving(Site(auth=Open())) as site, site.client() as client:
        del client.headers["Authorization"]
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 200
        client.headers["Host"] = "evil.example.com"
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 403
