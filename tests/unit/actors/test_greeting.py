"""How servers are greeted: which era they are found to be of, and what becomes of what was wrong about them."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from gateway import limits
from gateway.jsonrpc.messages import Failure, Message, Request
from tests.fakes.house import FakeBackend
from tests.fakes.modern_server import ModernServer
from tests.fakes.server import FakeServer, raw
from tests.unit.actors.test_modern_servers import Build, world
from tests.unit.actors.test_session import World
from tests.unit.actors.test_stateless import Modern

__all__ = ["world"]

HELLO = "fake says hello"


async def called(house: World, era: str) -> str:
    """The text that a client of that era is answered with."""
    client = Modern(house) if era == "modern" else house.client()
    stream = client.ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    return str(stream.answer["result"]["content"][0]["text"])


@pytest.mark.parametrize("client", ["legacy", "modern"])
@pytest.mark.parametrize(("before", "after"), [("legacy", "modern"), ("modern", "legacy")])
async def test_a_server_that_has_become_another_one_is_found_out(
    world: Build, autojump_clock: MockClock, before: str, after: str, client: str
) -> None:
    """An image moves on, or back: what was known is corrected with its next start, and nobody's call fails."""
    now = before

    def make() -> FakeServer:
        return ModernServer() if now == "modern" else FakeServer()

    house, backend = await world(), FakeBackend(make)
    pool = house.serve("one", backend)
    for era in ("modern", "legacy"):
        assert await called(house, era) == HELLO
    now = after
    for server in backend.running:
        server.die("upgraded")
    await trio.sleep(1)
    assert await called(house, client) == HELLO
    assert getattr(pool.spoken, after) is True
    assert getattr(pool.spoken, before) is not True


async def test_a_modern_server_that_is_slow_at_first_is_not_taken_for_an_old_one(
    world: Build, autojump_clock: MockClock
) -> None:
    """Its first answer comes after the patience of the probe; it refuses the handshake, and is asked again."""
    house = await world()

    def make() -> ModernServer:
        server = ModernServer()

        def late(request: Request) -> Message | None:
            if len(server.requests("server/discover")) > 1:
                return server._answer(request)
            return None

        server.scripts["server/discover"] = late
        return server

    backend = FakeBackend(make)
    pool = house.serve("one", backend)
    stream = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(limits.PROBE_S + 1)
    assert stream.answer["result"]["content"][0]["text"] == HELLO
    assert (pool.spoken.legacy, pool.spoken.modern) == (False, True)


async def test_a_server_that_is_known_to_be_modern_has_all_the_time_of_its_start(
    world: Build, autojump_clock: MockClock
) -> None:
    """A cold container may be slow: the probe's patience is for those that may never answer."""
    waits: list[tuple[ModernServer, Request]] = []
    held = False

    def make() -> ModernServer:
        server = ModernServer()

        def slowly(request: Request) -> Message | None:
            if not held:
                return server._answer(request)
            waits.append((server, request))
            return None

        server.scripts["server/discover"] = slowly
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    assert await called(house, "modern") == HELLO
    held = True
    for server in backend.running:
        server.die("upgraded")
    await trio.sleep(1)
    stream = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(limits.PROBE_S * 2)
    for server, request in waits:
        if not server.is_closed:
            answer = server._answer(request)
            assert answer is not None
            server._in.send_nowait(answer)
    await trio.sleep(1)
    assert stream.answer["result"]["content"][0]["text"] == HELLO
    assert not any(server.requests("initialize") for server in backend.opened)


@pytest.mark.parametrize("code", [-32020, -32021, -32022])
async def test_an_error_that_only_modern_servers_have_ends_the_probe(
    world: Build, autojump_clock: MockClock, code: int
) -> None:
    """The handshake is never tried after it."""

    def make() -> FakeServer:
        server = FakeServer()
        server.scripts["server/discover"] = lambda one: Failure(one.id, code, "no", raw({}))
        return server

    house, backend = await world(), FakeBackend(make)
    house.serve("one", backend)
    stream = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(1)
    assert "error" in stream.answer
    assert not any(server.requests("initialize") for server in backend.opened)


async def test_an_old_server_that_is_slow_to_refuse_the_probe_gets_the_handshake(
    world: Build, autojump_clock: MockClock
) -> None:
    """Its late answer is nobody's, and does no harm."""
    house = await world()
    backend = FakeBackend(lambda: FakeServer(held=frozenset({"server/discover"})))
    pool = house.serve("one", backend)
    stream = Modern(house).ask("tools/call", name="echo", arguments={})
    await trio.sleep(limits.PROBE_S + 1)
    for server in backend.running:
        for request in server.requests("server/discover"):
            server._in.send_nowait(Failure(request.id, -32601, "no such method"))
    await trio.sleep(1)
    assert stream.answer["result"]["content"][0]["text"] == HELLO
    assert pool.spoken.modern is False
