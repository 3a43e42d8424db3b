"""A server that has hung is ended; one that is only slow is left alone."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from gateway import limits
from gateway.jsonrpc.messages import Message, Request, Result
from tests.fakes.house import Answers, FakeBackend, make_pool
from tests.fakes.server import FakeServer, raw

HELD = frozenset({"tools/call"})


def hung_server() -> FakeServer:
    """One that answers nothing but the handshake and its lists."""
    return FakeServer(held=HELD | {"ping"})


def living_server() -> FakeServer:
    """One that never comes to an end with a call, and answers pings."""
    server = FakeServer(held=HELD)

    def pong(request: Request) -> Message:
        return Result(request.id, raw({}))

    server.scripts["ping"] = pong
    return server


@pytest.mark.refuses("to_servers.SETTLE_S")
async def test_a_hung_server_is_replaced(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """What is in flight fails with the reason; the next call gets another server."""
    backend, answers = FakeBackend(hung_server), Answers()
    pool = make_pool(nursery, backend)
    lost = answers.call(timeout_s=5.0)
    pool.submit(lost)
    await trio.sleep(6)
    assert "within 5 s" in answers.text(lost)
    beside = answers.call(timeout_s=60.0)
    pool.submit(beside)
    await trio.sleep(limits.SETTLE_S + 1)
    assert "has hung" in answers.text(beside)
    backend.make = FakeServer
    later = answers.call()
    pool.submit(later)
    await trio.sleep(1)
    assert answers.text(later) == "fake says hello"
    assert backend.opened[0].is_closed


async def test_a_server_that_answers_a_ping_is_kept(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """However many of its calls are overdue; it is asked after each of them."""
    backend, answers = FakeBackend(living_server), Answers()
    pool = make_pool(nursery, backend)
    for count in (1, 2):
        pool.submit(answers.call(timeout_s=5.0))
        await trio.sleep(6 + limits.SETTLE_S)
        assert len(backend.opened) == 1
        assert len(backend.opened[0].requests("ping")) == count


async def test_an_error_is_a_sign_of_life(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Some servers do not know pings; that they say so is enough."""
    backend, answers = FakeBackend(lambda: FakeServer(held=HELD)), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call(timeout_s=5.0))
    await trio.sleep(6 + limits.SETTLE_S)
    assert len(backend.opened[0].requests("ping")) == 1
    assert not backend.opened[0].is_closed


async def test_a_call_that_its_client_gives_up_proves_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nobody is asked for a sign of life before a deadline has passed."""
    backend, answers = FakeBackend(hung_server), Answers()
    pool = make_pool(nursery, backend)
    call = answers.call(timeout_s=60.0)
    pool.submit(call)
    await trio.sleep(1)
    call.withdraw("cancelled by the client")
    await trio.sleep(30)
    assert backend.opened[0].requests("ping") == []


async def test_a_death_meanwhile_is_the_reason_that_counts(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A server that dies while it is asked is gone, not hung; the next one is watched as well."""
    backend, answers = FakeBackend(hung_server), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call(timeout_s=5.0))
    await trio.sleep(6)
    beside = answers.call(timeout_s=60.0)
    pool.submit(beside)
    await trio.sleep(1)
    backend.opened[0].die("exited with status 9")
    await trio.sleep(1)
    assert "status 9" in answers.text(beside)
