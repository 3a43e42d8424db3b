"""Remote servers behind the whole gateway: a published client, a published server, and nothing of ours at either end."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway import limits
from tests.conformance.targets import Fixture, served
from tests.e2e.gateways import Pipe, text_of
from tests.e2e.places import Place
from tests.e2e.published import PUBLISHED, Step, Target
from tests.e2e.test_published_remotes import free_port, serving
from tests.fakes.far_server import Far
from tests.fakes.http_server import Exchange, serve

pytestmark = pytest.mark.slow

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
STEPS: tuple[Step, ...] = (
    ("tools/list", {}),
    ("tools/call", {"name": "greet", "arguments": {"name": "Ada"}}),
    ("tools/call", {"name": "work", "arguments": {"steps": 3}}),
)


@pytest.mark.parametrize(
    ("version", "kind", "path", "client"),
    [("1", "sse", "/sse", "python-2"), ("2", "streamable-http", "/mcp", "python-1")],
)
async def test_a_remote_server(
    place: Place, version: str, kind: str, path: str, client: str
) -> None:
    """Its tools are listed and called, and its progress reaches the caller, each side with its own SDK version."""
    port = free_port()
    remote = {"url": f"http://127.0.0.1:{port}{path}", "transport_type": kind}
    place.write({"far": {"type": "remote", "remote": remote}})
    async with serving(version, kind, port):
        target = Target(transport="stdio", command=tuple(place.command()), environ=place.environ)
        outcomes = await trio.to_thread.run_sync(PUBLISHED[client].do, target, STEPS)
    listed, greeted, worked = outcomes
    assert {tool["name"] for tool in listed["result"]["tools"]} == {"greet", "work", "ask", "hang"}
    assert greeted["result"]["content"][0]["text"] == "Hello, Ada!"
    assert worked["progress"] == [[1, 3], [2, 3], [3, 3]]


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_remote_server_is_restarted(place: Place, version: str) -> None:
    """Its clients notice only that it was away: a call that the new one refuses, for it knows no session, is sent anew."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    place.write({"far": {"type": "remote", "remote": {"url": url, "transport_type": "http"}}})
    with place.stdio() as client:
        client.initialize()
        async with serving(version, "streamable-http", port):
            assert client.call("greet", name="Ada") == "Hello, Ada!"
        assert "cannot be reached" in client.call("greet", name="Bea")
        async with serving(version, "streamable-http", port):
            assert client.call("greet", name="Cleo") == "Hello, Cleo!"
            assert client.log.count("call_sent_anew") == 1


@pytest.mark.parametrize(
    ("before", "after"), [("legacy_only", "modern_only"), ("modern_only", "legacy_only")]
)
def test_a_remote_server_that_changes_its_era(
    place: Place, before: Fixture, after: Fixture
) -> None:
    """The gateway that knew the older one finds out; so does the next gateway, which has only read of it."""
    port = free_port()
    url = f"http://localhost:{port}/mcp"
    place.write({"far": {"type": "remote", "remote": {"url": url, "transport_type": "http"}}})
    simple = "This is a simple text response for testing."
    with place.stdio() as client:
        client.initialize()
        with served(before, place.folder, port=port):
            assert client.call("test_simple_text") == simple
        with served(after, place.folder, port=port):
            assert client.call("test_simple_text") == simple
    with served(before, place.folder, port=port), place.stdio() as client:
        client.initialize()
        assert client.call("test_simple_text") == simple


async def test_a_rotated_secret_reaches_a_server_that_refuses_the_old_one(place: Place) -> None:
    """Files are not watched here: the refusal has the secret looked up. No log shows either of them."""

    class Locked(Far):
        key = "old-s3cret"

        async def __call__(self, exchange: Exchange) -> None:
            if exchange.request.headers["authorization"] == f"Bearer {self.key}":
                await super().__call__(exchange)
            else:
                await exchange.respond(401)

    async def call(client: Pipe) -> str:
        return await trio.to_thread.run_sync(client.call, "work")

    far = Locked()
    async with serve(far) as server:
        remote = {"url": f"{server.origin}/mcp", "headers": {"Authorization": "Bearer ${KEY}"}}
        secrets = [{"name": "far.key", "env": "KEY"}]
        place.write({"far": {"type": "remote", "remote": remote, "secrets": secrets}})
        assert place.run("secret", "set", "far.key=old-s3cret").returncode == 0
        with place.stdio("--watch=false") as client:
            await trio.to_thread.run_sync(client.initialize)
            assert await call(client) == "executed 1"
            far.key = "new-s3cret"
            assert "check the secrets in the header Authorization" in await call(client)
            assert place.run("secret", "set", "far.key=new-s3cret").returncode == 0
            await trio.sleep(limits.CREDENTIALS_PAUSE_S)
            assert await call(client) == "executed 2"
            assert "s3cret" not in client.log
    assert (far.opened, far.executed) == (1, 2)


def test_a_gateway_behind_a_gateway(place: Place, tmp_path: Path, echo_binary: Path) -> None:
    """Over its WebSocket, with its token from a secret, for clients of both eras."""
    far = Place(tmp_path / "far", Path(place.environ["MCPGW_CACHE"]))
    far.write({"echo": {"process": {"command": [str(echo_binary)]}}})
    with far.network() as gateway:
        remote = {
            "url": f"{gateway.url.replace('http', 'ws')}/ws",
            "headers": {"Authorization": "Bearer ${TOKEN}"},
        }
        secret = {"name": "far.token", "env": "TOKEN"}
        place.write({"far": {"remote": remote, "secrets": [secret]}})
        assert place.run("secret", "set", f"far.token={gateway.token}").returncode == 0
        with place.stdio() as near:
            near.initialize()
            assert near.call("echo", text="hi") == "hi"
        with place.stdio() as near:
            call = {"name": "echo", "arguments": {"text": "hi"}, "_meta": MODERN}
            assert text_of(near.request("tools/call", call)) == "hi"


def test_a_remote_server_that_is_not_there(place: Place) -> None:
    """The reason names the address; it costs the list no longer than a refused connection takes."""
    url = f"http://127.0.0.1:{free_port()}/mcp"
    place.write({"far": {"type": "remote", "remote": {"url": url, "transport_type": "http"}}})
    with place.stdio() as client:
        client.initialize()
        assert url in client.call("greet", deadline_s=4, name="Ada")
