"""A live server that does not keep to the rules: it may harm its own calls, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.greeting import greet
from actors.own_requests import ask
from actors.upstream import Upstream
from actors.upstream_listener import Listener
from gateway.errors import TooSlow
from gateway.jsonrpc.messages import Failure, Id, Illegible, Notification, Request, Result
from tests.fakes.house import Answers
from tests.fakes.server import FakeServer, raw

ODD_TOKENS: list[Any] = [{}, [], [[]], {"a": []}, None, True, "1", 1e300, 10**40]


class Tripping(Listener):
    """Fails on whatever it is told: a bug of ours, met on a server's input."""

    def notified(self, notification: Notification) -> None:
        """Fails."""
        raise ZeroDivisionError(notification.method)


async def connected(
    nursery: trio.Nursery, server: FakeServer, listener: Listener | None = None
) -> Upstream:
    """An upstream that is ready."""
    upstream = Upstream(server, server="fake", listener=listener or Listener())
    nursery.start_soon(upstream.run)
    await greet(upstream, within_s=1)
    return upstream


@pytest.mark.parametrize("token", ODD_TOKENS, ids=repr)
async def test_an_odd_progress_token_belongs_to_no_call(
    nursery: trio.Nursery, autojump_clock: MockClock, token: object
) -> None:
    """Progress for a token that nobody was given is dropped, whatever its type; the call goes on."""
    server, answers = FakeServer(held=frozenset({"tools/call"})), Answers()
    upstream = await connected(nursery, server)
    call = answers.call(progress_token="mine")
    upstream.start(call)
    server.notify("notifications/progress", {"progressToken": token, "progress": 1})
    server.answer(server.requests("tools/call")[0], {"content": [{"text": "done"}]})
    await wait_all_tasks_blocked()
    assert answers.text(call) == "done"
    assert answers.relayed == []


@pytest.mark.parametrize("result", [[1, 2], None, "text", 7, True], ids=repr)
async def test_a_result_that_is_no_object_is_a_failure(
    nursery: trio.Nursery, autojump_clock: MockClock, result: object
) -> None:
    """Strict clients break on such a result; they get an error that names the server instead."""
    server, answers = FakeServer(held=frozenset({"tools/call"})), Answers()
    upstream = await connected(nursery, server)
    call = answers.call()
    upstream.start(call)
    server.answer(server.requests("tools/call")[0], result)
    await wait_all_tasks_blocked()
    answer = answers.ended[call]
    assert isinstance(answer, Failure)
    assert "fake" in answer.message


async def test_only_the_first_answer_counts(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Second answers, and answers to what was never asked, are dropped."""
    server, answers = FakeServer(held=frozenset({"tools/call"})), Answers()
    upstream = await connected(nursery, server)
    first, second = answers.call(), answers.call()
    upstream.start(first)
    upstream.start(second)
    one, two = server.requests("tools/call")
    server.answer(one, {"content": [{"text": "first"}]})
    server.answer(one, {"content": [{"text": "again"}]})
    for stray in (0, -1, 99, "2", 2.5):
        server.answer(msgspec.structs.replace(one, id=stray), {})
    server.answer(two, {"content": [{"text": "second"}]})
    await wait_all_tasks_blocked()
    assert [answers.text(call) for call in (first, second)] == ["first", "second"]


async def test_a_bug_of_ours_costs_only_the_server_that_met_it(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The upstream ends with an error and its calls fail; nothing leaves `run`, where it would end the gateway."""
    server, answers = FakeServer(held=frozenset({"tools/call"})), Answers()
    upstream = await connected(nursery, server, Tripping())
    call = answers.call()
    upstream.start(call)
    server.notify("notifications/resources/updated")
    await wait_all_tasks_blocked()
    assert upstream.ended is not None
    assert "the gateway failed on what server fake sent" in answers.text(call)


async def test_requests_of_the_server_are_answered(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """`ping` with a result, everything else with -32601, under the id as it came."""
    server = FakeServer()
    await connected(nursery, server)
    asked: list[tuple[Id, str]] = [(1, "ping"), ("1", "sampling/createMessage"), (1.5, "x" * 9000)]
    for identity, method in asked:
        server.ask(Request(identity, method))
    await wait_all_tasks_blocked()
    answers = [one for one in server.seen if isinstance(one, Result | Failure)]
    assert [one.id for one in answers] == [1, "1", 1.5]
    assert answers[0] == Result(1, raw({}))


async def test_the_rest_of_a_deadline_is_said_in_round_numbers(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its long fraction tells nobody anything."""
    upstream = await connected(nursery, FakeServer(held=frozenset({"tools/call"})))
    with pytest.raises(TooSlow, match=r"did not answer tools/call within 2 s"):
        await ask(upstream, "tools/call", {}, within_s=1.99999)


UNREAD = Illegible(None, -32603, "server fake sent an answer that cannot be read")


async def test_an_answer_that_cannot_be_read_fails_the_one_call_there_is(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nothing else can be meant; the server is kept."""
    server, answers = FakeServer(held=frozenset({"tools/call"})), Answers()
    upstream = await connected(nursery, server)
    call, next_one = answers.call(), answers.call()
    upstream.start(call)
    server.say(UNREAD)
    await wait_all_tasks_blocked()
    assert answers.ended[call] == Failure(None, -32603, UNREAD.message)
    upstream.start(next_one)
    server.answer(server.requests("tools/call")[1], {"content": [{"text": "done"}]})
    await wait_all_tasks_blocked()
    assert answers.text(next_one) == "done"
    assert upstream.ended is None


async def test_an_answer_that_cannot_be_read_costs_nobody_a_call_that_is_not_his(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Of several it could be any one's: all fail, and the server takes no more."""
    server, answers = FakeServer(held=frozenset({"tools/call"})), Answers()
    upstream = await connected(nursery, server)
    calls = answers.call(), answers.call()
    for call in calls:
        upstream.start(call)
    server.say(UNREAD)
    await wait_all_tasks_blocked()
    for call in calls:
        assert "cannot be read; nobody knows to which call" in answers.text(call)
        assert "the call's outcome is unknown" in answers.text(call)
    assert upstream.ended is not None


async def test_an_answer_that_cannot_be_read_may_be_to_a_call_that_was_withdrawn(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Then the one that waits is not the only one that can be meant."""
    server, answers = FakeServer(held=frozenset({"tools/call"})), Answers()
    upstream = await connected(nursery, server)
    gone, call = answers.call(), answers.call()
    upstream.start(gone)
    gone.withdraw("cancelled")
    server.say(UNREAD)
    await wait_all_tasks_blocked()
    assert upstream.ended is None
    upstream.start(call)
    server.say(UNREAD)
    await wait_all_tasks_blocked()
    assert "nobody knows to which call" in answers.text(call)
    assert upstream.ended is not None
