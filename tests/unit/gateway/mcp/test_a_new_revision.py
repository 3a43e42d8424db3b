"""The walk of `docs/adding.md`: a revision that does not exist yet is a row of the table, and one place of the bridge."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import trio
from msgspec import Raw, structs
from trio.testing import MockClock

from gateway.jsonrpc.messages import Failure, Message, Request, Result
from gateway.mcp import era, meta, methods, params, versions
from gateway.mcp.methods import Method
from gateway.mcp.targets import TARGETS
from gateway.mcp.versions import Version
from tests.fakes.house import FakeBackend
from tests.fakes.modern_server import PREFIX, REVISION, ModernServer
from tests.fakes.server import raw
from tests.unit.actors.test_modern_servers import Build, world
from tests.unit.actors.test_stateless import Modern

__all__ = ["world"]

NEW = "2027-01-20"
STAMP = f"{PREFIX}protocolVersion"


class FutureServer(ModernServer):
    """Speaks the new revision only; its calls name their author."""

    def _answer(self, request: Request) -> Message | None:
        """The same as a server of the revision before, in the new one."""
        members = json.loads(bytes(request.params or b"{}"))
        if members.get("_meta", {}).get(STAMP) != NEW:
            return Failure(request.id, -32022, "unsupported", raw({"supported": [NEW]}))
        if request.method == "tools/search":
            found = {"resultType": "complete", "found": [members["name"]]}
            return Result(request.id, raw(found))
        members["_meta"][STAMP] = REVISION
        answer = super()._answer(structs.replace(request, params=raw(members)))
        if not isinstance(answer, Result):
            return answer
        body = json.loads(bytes(answer.result))
        if request.method == "server/discover":
            body["supportedVersions"] = [NEW]
        if request.method == "tools/call":
            body["author"] = "Ann"
        return Result(request.id, raw(body))


@pytest.fixture(autouse=True)
def _new_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 1, a row; step 2, a method that goes to one server; step 3, what it says otherwise."""
    rows = (Version(name=NEW, era="modern"), *versions.VERSIONS)
    monkeypatch.setattr(versions, "VERSIONS", rows)
    monkeypatch.setattr(versions, "MODERN", (NEW, *versions.MODERN))
    monkeypatch.setattr(versions, "NEWEST", NEW)
    monkeypatch.setattr(versions, "_BY_NAME", {row.name: row for row in rows})
    search = Method("tools/search", "client", since=NEW, target="tool")
    monkeypatch.setattr(methods, "METHODS", {**methods.METHODS, search.name: search})
    monkeypatch.setitem(cast("dict[str, object]", TARGETS), search.name, ("tool", "name"))
    before = era.result_to_legacy

    def result_to_legacy(method: str, result: Raw, *, version: str = versions.LATEST) -> Raw:
        members = meta.result_fields(before(method, result, version=version))
        return params.pack({name: one for name, one in members.items() if name != "author"})

    monkeypatch.setattr(era, "result_to_legacy", result_to_legacy)


async def test_it_is_offered_to_clients(world: Build, autojump_clock: MockClock) -> None:
    """They find it in the list, and may name it."""
    client = Modern(await world())
    assert client.ask("server/discover").answer["result"]["supportedVersions"] == [NEW, REVISION]
    assert "result" in client.ask("tools/list", _meta={STAMP: NEW}).answer
    assert client.ask("tools/list", _meta={STAMP: "2099-01-01"}).answer["error"]["code"] == -32022


@pytest.mark.parametrize(("server", "spoken"), [(FutureServer, NEW), (ModernServer, REVISION)])
async def test_servers_are_asked_with_it_first(
    world: Build, autojump_clock: MockClock, server: type[ModernServer], spoken: str
) -> None:
    """Those that do not know it say what they do, and are spoken to in that."""
    house, backend = await world(), FakeBackend(server)
    house.serve("one", backend)
    stream = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert "result" in stream.answer
    (called,) = [one for one in backend.opened if one.requests("tools/call")]
    assert isinstance(called, ModernServer)
    assert called.stamps("server/discover")[0][STAMP] == NEW
    assert called.stamps("tools/call")[0][STAMP] == spoken


@pytest.mark.parametrize(("version", "author"), [(NEW, "Ann"), (REVISION, "Ann"), (None, None)])
async def test_it_is_bridged(
    world: Build, autojump_clock: MockClock, version: str | None, author: str | None
) -> None:
    """Modern clients see the author, an older one gets the result without."""
    house = await world()
    house.serve("one", FakeBackend(FutureServer))
    client: Any = house.client() if version is None else Modern(house)
    said = {} if version is None else {"_meta": {STAMP: version}}
    stream = client.ask("tools/call", name="echo", arguments={}, **said)
    await trio.sleep(1)
    assert stream.answer["result"]["content"][0]["text"] == "fake says hello"
    assert stream.answer["result"].get("author") == author


async def test_its_method_goes_to_the_server_of_the_tool(
    world: Build, autojump_clock: MockClock
) -> None:
    """Under the server's own name for it, though clients see another."""
    house = await world()
    for server in ("one", "two"):
        house.serve(server, FakeBackend(FutureServer))
    client = Modern(house)
    listed = client.ask("tools/list", _meta={STAMP: NEW})
    await trio.sleep(5)
    shown = [tool["name"] for tool in listed.answer["result"]["tools"]]
    assert shown == ["one__echo", "two__echo"]
    stream = client.ask("tools/search", name="two__echo", query="x", _meta={STAMP: NEW})
    await trio.sleep(1)
    assert stream.answer["result"]["found"] == ["echo"]
