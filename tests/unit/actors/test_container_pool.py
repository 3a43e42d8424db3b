"""The pool: placing, starting, stopping, failing. Each container is a `FakeServer`; the clock is the test's."""

from __future__ import annotations

import json

import pytest
import trio
from msgspec import structs
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.assignment import EVERYBODY
from actors.call import Answer, Call
from gateway import limits
from gateway.catalog.model import RemoteLaunch
from gateway.errors import ImageMissing, StartFailed
from gateway.jsonrpc.messages import Failure, Missed, Notification, Request, Result
from gateway.mcp.profile import ClientProfile
from tests.fakes.house import Answers, FakeBackend, FakeFreezer, Notes, enabled, make_pool
from tests.fakes.modern_server import ModernServer
from tests.fakes.server import FakeServer, raw, tool


def held_server() -> FakeServer:
    """A server whose calls the test answers."""
    return FakeServer(held=frozenset({"tools/call"}))


async def test_the_first_call_starts_a_container_and_is_answered(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nothing runs before the first call; the call waits for the handshake, then goes out."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    await wait_all_tasks_blocked()
    assert backend.opened == []
    call = answers.call()
    pool.submit(call)
    await wait_all_tasks_blocked()
    assert answers.text(call) == "fake says hello"
    assert [type(one).__name__ for one in backend.opened[0].seen][:2] == ["Request", "Notification"]


async def test_a_warm_call_is_sent_without_a_task_switch(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The second call of an owner is on the pipe when `submit` returns."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    pool.submit(answers.call())
    assert len(backend.opened[0].requests("tools/call")) == 2


async def test_sessions_never_share_a_container(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Under `session` isolation each owner has its own."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    for owner in ("session:a", "session:b", "session:a"):
        pool.submit(answers.call(owner))
        await wait_all_tasks_blocked()
    assert len(backend.opened) == 2


async def test_under_call_isolation_a_container_serves_one_call(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It is gone right after its call."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend, enabled(isolation="call"))
    for number in range(2):
        pool.submit(answers.call(f"call:x:{number}"))
        await wait_all_tasks_blocked()
    assert len(backend.opened) == 2
    assert backend.running == []


async def test_an_idle_container_is_stopped(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """`idle_s` after the last call nothing is left, and the next call starts afresh."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call())
    await trio.sleep(59)
    assert len(backend.running) == 1
    await trio.sleep(2)
    assert backend.running == []
    again = answers.call()
    pool.submit(again)
    await trio.sleep(1)
    assert answers.text(again) == "fake says hello"


async def test_a_pool_sleeps_while_a_container_takes_its_time_to_end(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It must not look again and again at what it has told to stop: a busy loop would stop this clock."""

    def slow_to_end() -> FakeServer:
        server = FakeServer()
        server.close_s = 4.0
        return server

    backend, answers = FakeBackend(slow_to_end), Answers()
    pool = make_pool(nursery, backend)
    looks = 0
    act = pool._act

    def counted(owned: trio.Nursery) -> None:
        nonlocal looks
        looks += 1
        assert looks < 50, "the pool spins"
        act(owned)

    pool._act = counted  # type: ignore[method-assign]
    pool.submit(answers.call())
    await trio.sleep(70)
    assert backend.running == []


async def test_a_failed_start_fails_the_calls_that_waited_and_no_later_one(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The reason reaches the client; the next call tries again at once."""

    def missing() -> FakeServer:
        raise ImageMissing("image x is missing; pull it")

    backend, answers = FakeBackend(missing), Answers()
    pool = make_pool(nursery, backend)
    first, second = answers.call(), answers.call()
    pool.submit(first)
    pool.submit(second)
    await wait_all_tasks_blocked()
    assert answers.text(first) == answers.text(second) == "image x is missing; pull it"
    backend.make = FakeServer
    third = answers.call()
    pool.submit(third)
    await wait_all_tasks_blocked()
    assert answers.text(third) == "fake says hello"


@pytest.mark.refuses("to_servers.START_BACKOFF_S")
async def test_starts_that_keep_failing_are_paused(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """After three failures in a row calls fail fast with the reason, and later it is tried again."""

    def broken() -> FakeServer:
        raise StartFailed("it does not start")

    backend, answers = FakeBackend(broken), Answers()
    pool = make_pool(nursery, backend)
    for _ in range(3):
        pool.submit(answers.call())
        await wait_all_tasks_blocked()
    fast = answers.call()
    pool.submit(fast)
    assert "failed to start 3 times in a row" in answers.text(fast)
    assert "it does not start" in answers.text(fast)
    await trio.sleep(31)
    backend.make = FakeServer
    later = answers.call()
    pool.submit(later)
    await wait_all_tasks_blocked()
    assert answers.text(later) == "fake says hello"


async def test_a_death_fails_the_calls_in_flight_at_once_and_the_next_works(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The outcome of a call in flight is unknown: it is reported, never sent again."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    call = answers.call()
    pool.submit(call)
    await wait_all_tasks_blocked()
    backend.opened[0].die("exit status 137")
    await wait_all_tasks_blocked()
    assert answers.text(call) == "exit status 137; the call's outcome is unknown"
    backend.make = FakeServer
    fresh = answers.call()
    pool.submit(fresh)
    await wait_all_tasks_blocked()
    assert answers.text(fresh) == "fake says hello"


async def test_what_is_learned_of_a_death_after_it_was_told_is_kept(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The call does not wait for the engine's word on how the server ended; the log and the state have it."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    call = answers.call()
    pool.submit(call)
    await wait_all_tasks_blocked()
    server = backend.opened[0]
    server.close_s, server.learned = 0.5, "exited with status 137"
    server.die("closed its output")
    await wait_all_tasks_blocked()
    assert answers.text(call) == "closed its output; the call's outcome is unknown"
    assert pool.state().last_error == ""
    await trio.sleep(1)
    assert pool.state().last_error == "exited with status 137"


async def test_a_client_that_tries_again_at_once_gets_a_new_container(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The dead one is still being cleaned away when the next call comes: it takes none any more."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    retry = answers.call()

    def try_again(_call: Call, _answer: Answer | None) -> None:
        pool.submit(retry)

    first = answers.call()
    first._settled = try_again
    pool.submit(first)
    await wait_all_tasks_blocked()
    backend.make = FakeServer
    backend.opened[0].die("exit status 137")
    await wait_all_tasks_blocked()
    assert answers.text(retry) == "fake says hello"


async def test_a_call_that_a_dead_server_cannot_be_sent_goes_to_the_next(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its death is not known yet, and nothing of the call was sent: it is placed anew, once."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    backend.opened[0].die("exit status 137")
    call = answers.call()
    pool.submit(call)
    await wait_all_tasks_blocked()
    assert answers.text(call) == "fake says hello"
    assert [len(one.requests("tools/call")) for one in backend.opened] == [1, 1]


@pytest.mark.refuses("to_servers.CALL_TIMEOUT_S")
async def test_a_call_past_its_deadline_is_cancelled_upstream(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The server gets `notifications/cancelled`; a late answer changes nothing."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    call = answers.call(timeout_s=5.0)
    pool.submit(call)
    await trio.sleep(6)
    assert "within 5 s" in answers.text(call)
    server = backend.opened[0]
    assert [one.method for one in server.seen if isinstance(one, Notification)] == [
        "notifications/initialized",
        "notifications/cancelled",
    ]
    server.answer(server.requests("tools/call")[0], {"content": []})
    await wait_all_tasks_blocked()
    assert "within 5 s" in answers.text(call)


async def test_progress_extends_the_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A server that shows that it works is not too slow; the client gets its own token back."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    call = answers.call(timeout_s=5.0, progress_token="tok")
    pool.submit(call)
    await trio.sleep(4)
    server = backend.opened[0]
    number = server.requests("tools/call")[0].id
    server.notify("notifications/progress", {"progressToken": number, "progress": 1})
    await trio.sleep(4)
    assert call not in answers.ended
    assert bytes(answers.relayed[0].params or b"") == b'{"progressToken":"tok","progress":1}'


async def test_a_queued_call_can_be_withdrawn(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A client that cancels while its container starts gets nothing, and the server never sees the call."""
    backend, answers = FakeBackend(), Answers()
    backend.gate = trio.Event()
    pool = make_pool(nursery, backend)
    call = answers.call()
    pool.submit(call)
    await wait_all_tasks_blocked()
    call.withdraw("cancelled")
    assert answers.text(call) == "withdrawn"
    backend.gate.set()
    await wait_all_tasks_blocked()
    assert backend.opened[0].requests("tools/call") == []


async def test_release_stops_the_owners_container(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A session that ended frees its container, and only its own."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    for owner in ("session:a", "session:b"):
        pool.submit(answers.call(owner))
    await wait_all_tasks_blocked()
    pool.release("session:a")
    await wait_all_tasks_blocked()
    assert len(backend.running) == 1


async def test_release_while_starting_leaves_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """An owner that leaves while its container starts, or is greeted, leaves nothing behind."""
    silent = lambda: FakeServer(held=frozenset({"initialize"}))  # noqa: E731
    backend, answers = FakeBackend(silent), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call("session:a"))
    await wait_all_tasks_blocked()
    assert len(backend.running) == 1
    pool.release("session:a")
    await wait_all_tasks_blocked()
    assert backend.running == []


async def test_at_the_limit_calls_wait_for_room(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """With all containers busy the next owner waits, and is served when one becomes free."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend, enabled(max=1))
    first, second = answers.call("session:a"), answers.call("session:b")
    pool.submit(first)
    pool.submit(second)
    await wait_all_tasks_blocked()
    assert len(backend.opened) == 1
    server = backend.opened[0]
    backend.make = FakeServer
    server.answer(server.requests("tools/call")[0], {"content": [{"text": "one"}]})
    await wait_all_tasks_blocked()
    assert answers.text(first) == "one"
    assert answers.text(second) == "fake says hello"
    assert len(backend.running) == 1


async def test_max_inflight_is_kept(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """A container never has more calls than `max_inflight`; the others follow in order."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend, enabled(max_inflight=2))
    calls = [answers.call() for _ in range(5)]
    for call in calls:
        pool.submit(call)
    await wait_all_tasks_blocked()
    server = backend.opened[0]
    for done in range(5):
        assert len(server.requests("tools/call")) == min(5, done + 2)
        server.answer(server.requests("tools/call")[done], {"content": [{"text": f"{done}"}]})
        await wait_all_tasks_blocked()
    assert [answers.text(call) for call in calls] == ["0", "1", "2", "3", "4"]


async def test_a_polite_client_is_not_behind_all_calls_of_a_busy_one(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """In a container that they share, the next room is for whoever has not just had one."""
    backend = FakeBackend(held_server)
    pool = make_pool(nursery, backend, enabled(isolation="shared", max=1, max_inflight=2))
    answers = Answers()
    busy = [answers.call(EVERYBODY, client="busy") for _ in range(20)]
    for call in busy:
        pool.submit(call)
    polite = answers.call(EVERYBODY, client="polite")
    pool.submit(polite)
    await trio.sleep(1)
    server = backend.opened[0]
    for number in range(4):
        server.answer(server.requests("tools/call")[number], {"content": [{"text": "x"}]})
        await wait_all_tasks_blocked()
    assert polite in answers.ended
    assert len(answers.ended) == 4


async def test_spares_are_kept_and_refilled(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """`warm` spares stand ready; a call takes one, and another is started once it has its answer."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend, enabled(warm=1))
    await wait_all_tasks_blocked()
    assert len(backend.running) == 1
    call = answers.call()
    pool.submit(call)
    await wait_all_tasks_blocked()
    assert answers.text(call) == "fake says hello"
    assert len(backend.running) == 1
    await trio.sleep(limits.REFILL_PAUSE_S)
    await wait_all_tasks_blocked()
    assert len(backend.running) == 2


async def test_first_calls_that_find_spares_are_sent_without_a_task_switch(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Of two owners who come in one moment, each to a spare of its own."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend, enabled(warm=2))
    for name in ("roots", "sampling"):
        await wait_all_tasks_blocked()
        pool.expect(ClientProfile({name: raw({})}))
    await wait_all_tasks_blocked()
    assert [len(server.requests("initialize")) for server in backend.opened] == [1, 1]
    for owner, name in (("session:a", "sampling"), ("session:b", "roots")):
        pool.submit(answers.call(owner, profile=ClientProfile({name: raw({})})))
    assert [len(server.requests("tools/call")) for server in backend.opened] == [1, 1]
    assert {container.owner for container in pool._fleet} == {"session:a", "session:b"}


async def test_a_spare_is_not_spoken_to_before_a_client_is_known(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It runs; the client that comes is the one in whose name it is greeted, before its first call."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend, enabled(warm=1))
    await trio.sleep(100)
    assert (len(backend.running), backend.opened[0].seen) == (1, [])
    assert repr(pool) == "<ContainerPool fake [open] waiting=0>"
    able = ClientProfile({"sampling": raw({})})
    pool.expect(able)
    await wait_all_tasks_blocked()
    greeting = json.loads(bytes(backend.opened[0].requests("initialize")[0].params or b""))
    assert greeting["capabilities"] == {"sampling": {}}
    call = answers.call(profile=able)
    pool.submit(call)
    assert len(backend.opened[0].requests("tools/call")) == 1


async def test_a_client_that_was_not_expected_has_a_spare_greeted_for_it(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Of two spares one stays unspoken, for whoever comes."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend, enabled(warm=2))
    pool.expect(ClientProfile())
    await wait_all_tasks_blocked()
    backend.gate = trio.Event()
    call = answers.call(profile=ClientProfile({"roots": raw({})}))
    pool.submit(call)
    await wait_all_tasks_blocked()
    assert answers.text(call) == "fake says hello"


async def test_a_spare_that_starts_is_claimed(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Who comes while the floor is being filled needs no further start."""
    backend, answers = FakeBackend(), Answers()
    backend.gate = trio.Event()
    pool = make_pool(nursery, backend, enabled(warm=2))
    await wait_all_tasks_blocked()
    calls = [answers.call(f"session:{name}") for name in "ab"]
    for call in calls:
        pool.submit(call)
    await wait_all_tasks_blocked()
    assert len(pool.state().containers) == 2
    backend.gate.set()
    await wait_all_tasks_blocked()
    assert [answers.text(call) for call in calls] == ["fake says hello"] * 2
    await trio.sleep(limits.REFILL_PAUSE_S)
    await wait_all_tasks_blocked()
    assert len(backend.running) == 3, "the floor is filled up again, as far as `max` goes"


async def test_a_spare_that_dies_unspoken_is_replaced(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nobody is waiting for it, so nobody is told."""
    backend = FakeBackend()
    pool = make_pool(nursery, backend, enabled(warm=1))
    await wait_all_tasks_blocked()
    backend.opened[0].die("killed")
    await wait_all_tasks_blocked()
    assert len(backend.running) == 1
    assert pool.state().last_error == "killed"


async def test_lists_are_read_from_an_unspoken_spare(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """No further container is started for them."""
    backend, notes = FakeBackend(), Notes()
    pool = make_pool(nursery, backend, enabled(warm=1), notes=notes)
    await wait_all_tasks_blocked()
    pool.want_lists()
    await wait_all_tasks_blocked()
    assert "fake" in notes.lists
    assert len(backend.opened) == 1


async def test_while_owners_keep_coming_spares_are_there_without_a_floor(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """After some arrivals the next one finds a spare; `idle_s` after the last call nothing is left."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend, enabled(max=20, idle_s=30.0))
    for number in range(12):
        call = answers.call(f"session:{number}")
        pool.submit(call)
        await trio.sleep(2)
        pool.release(f"session:{number}")
    tallied = pool.state().tally
    assert tallied.misses >= 8
    assert tallied.avoided >= 3
    assert (tallied.hits, tallied.hits + tallied.misses) == (tallied.avoided, 12)
    await trio.sleep(30)
    assert backend.running == []


async def test_no_spares_are_started_ahead_at_remote_servers(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Somebody else pays for the sessions there."""
    backend, answers = FakeBackend(), Answers()
    server = structs.replace(
        enabled(max=20), launch=RemoteLaunch(url="https://x/mcp", transport="streamable-http")
    )
    pool = make_pool(nursery, backend, server)
    for number in range(12):
        pool.submit(answers.call(f"session:{number}"))
        await trio.sleep(2)
        pool.release(f"session:{number}")
    assert pool.state().tally.avoided == 0
    assert len(backend.opened) == 12


async def test_starts_that_calls_wait_for_come_before_spares(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Starts hardly parallelise, so a refill would only make callers wait."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend, enabled(warm=1, max=9))
    await wait_all_tasks_blocked()
    backend.gate = trio.Event()
    for name in "abc":
        pool.submit(answers.call(f"session:{name}"))
    await wait_all_tasks_blocked()
    owners = [owner for _, _, owner, _, _ in pool.state().containers]
    assert None not in owners
    backend.gate.set()
    await trio.sleep(limits.REFILL_PAUSE_S)
    await wait_all_tasks_blocked()
    assert len(backend.running) == 4


async def test_lists_are_read_and_the_container_goes_away(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Listing needs a container once; without `warm` it stays for a moment only."""
    backend, notes = FakeBackend(lambda: FakeServer(tool("a"), tool("b"))), Notes()
    pool = make_pool(nursery, backend, notes=notes)
    pool.want_lists()
    await wait_all_tasks_blocked()
    assert [item.key for item in notes.lists["fake"].tools] == ["a", "b"]
    await trio.sleep(3)
    assert backend.running == []


async def test_lists_that_cannot_be_read_are_reported(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Whoever waits for them learns why not."""

    def broken() -> FakeServer:
        raise StartFailed("it does not start")

    notes = Notes()
    pool = make_pool(nursery, FakeBackend(broken), notes=notes)
    pool.want_lists()
    await wait_all_tasks_blocked()
    assert str(notes.unlisted_because["fake"]) == "it does not start"


@pytest.mark.refuses("to_servers.INITIALIZE_TIMEOUT_S")
async def test_a_server_that_never_answers_initialize_fails_its_calls(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The error names the deadline, and nothing is left."""
    silent = lambda: FakeServer(held=frozenset({"initialize"}))  # noqa: E731
    backend, answers = FakeBackend(silent), Answers()
    pool = make_pool(nursery, backend, enabled(init_timeout_s=7.0))
    call = answers.call()
    pool.submit(call)
    await trio.sleep(8)
    assert "initialize within 7 s" in answers.text(call)
    assert backend.running == []


async def test_drift_is_noticed_when_a_server_runs(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """After its first call a container's lists are read once."""
    backend, answers, notes = FakeBackend(), Answers(), Notes()
    pool = make_pool(nursery, backend, notes=notes)
    for _ in range(2):
        pool.submit(answers.call())
        await wait_all_tasks_blocked()
    assert len(backend.opened[0].requests("tools/list")) == 1
    assert "fake" in notes.lists


async def test_missed_news_are_made_up_for(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The lists are read again, and the owner is told that what it subscribed to may have changed."""
    backend, answers, notes = FakeBackend(), Answers(), Notes()
    pool = make_pool(nursery, backend, notes=notes)
    call = answers.call()
    call.method, call.fields = "resources/subscribe", {"uri": raw("x://1")}
    pool.submit(call)
    await trio.sleep(1)
    server = backend.opened[0]
    read_before = len(server.requests("tools/list"))
    server.say(Missed("missed"))
    await trio.sleep(1)
    assert len(server.requests("tools/list")) == read_before + 1
    ((owner, _, notice),) = notes.notices
    assert owner == "session:a"
    assert notice == Notification("notifications/resources/updated", raw({"uri": "x://1"}))


async def test_an_announced_change_concerns_the_owner_alone(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Under `session` isolation a container's new tools are its session's."""
    backend, answers, notes = FakeBackend(), Answers(), Notes()
    pool = make_pool(nursery, backend, notes=notes)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    backend.opened[0].tools.append(tool("new"))
    backend.opened[0].notify("notifications/tools/list_changed")
    await wait_all_tasks_blocked()
    owner, name, lists = notes.private[-1]
    assert (owner, name) == ("session:a", "fake")
    assert lists is not None
    assert [item.key for item in lists.tools] == ["echo", "new"]
    assert [item.key for item in notes.lists["fake"].tools] == ["echo"]


async def test_replace_drains_the_old_spec(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A call in flight ends where it is; the next one gets a container of the new spec."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    old = answers.call()
    pool.submit(old)
    await wait_all_tasks_blocked()
    changed = FakeBackend()
    pool.replace(enabled(spec_hash="spec-2"), changed.open)
    new = answers.call()
    pool.submit(new)
    await wait_all_tasks_blocked()
    assert answers.text(new) == "fake says hello"
    server = backend.opened[0]
    server.answer(server.requests("tools/call")[0], {"content": [{"text": "old"}]})
    await wait_all_tasks_blocked()
    assert answers.text(old) == "old"
    assert backend.running == []


async def test_lists_of_an_earlier_spec_are_nobodys(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A container that only finishes its calls must not say what its successor offers."""
    backend, answers, notes = FakeBackend(held_server), Answers(), Notes()
    pool = make_pool(nursery, backend, enabled(isolation="shared"), notes=notes)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    old = backend.opened[0]
    pool.replace(enabled(isolation="shared", spec_hash="spec-2"), FakeBackend().open)
    old.tools.append(tool("old"))
    old.notify("notifications/tools/list_changed")
    await wait_all_tasks_blocked()
    assert old.requests("tools/list")
    assert notes.lists == {}


async def test_a_cancelled_pool_leaves_nothing(autojump_clock: MockClock) -> None:
    """Containers are closed, calls in flight and in the queue are failed."""
    backend, answers = FakeBackend(held_server), Answers()
    busy, queued = answers.call("session:a"), answers.call("session:b")
    async with trio.open_nursery() as nursery:
        pool = make_pool(nursery, backend, enabled(max=1))
        pool.submit(busy)
        pool.submit(queued)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert backend.running == []
    assert "was stopped" in answers.text(busy)
    assert "was stopped" in answers.text(queued)


async def test_a_ping_of_the_server_is_answered(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Servers may check that we live."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    server = backend.opened[0]
    server.ask(Request("p", "ping"))
    await wait_all_tasks_blocked()
    assert isinstance(server.seen[-1], Result)
    assert server.seen[-1].id == "p"


async def test_a_request_of_the_server_goes_to_the_owner(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """With its call, where a single one is in flight; the answer comes back under the server's id."""
    backend, answers, notes = FakeBackend(held_server), Answers(), Notes()
    pool = make_pool(nursery, backend, notes=notes)
    call = answers.call(timeout_s=5.0)
    pool.submit(call)
    await wait_all_tasks_blocked()
    server = backend.opened[0]
    server.ask(Request("r", "elicitation/create", raw({"message": "?"})))
    await trio.sleep(20)
    assert call not in answers.ended, "a person is asked: no deadline"
    owner, request = notes.requests[0]
    assert (owner, request.call) == ("session:a", call)
    request.answer(raw({"action": "accept"}))
    request.answer(raw({"action": "decline"}))
    await wait_all_tasks_blocked()
    given = [one for one in server.seen if isinstance(one, Result)]
    assert [(one.id, bytes(one.result)) for one in given] == [("r", b'{"action":"accept"}')]
    await trio.sleep(6)
    assert "within 5 s" in answers.text(call)


async def test_a_spare_has_no_client_to_ask(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """What a server wants before it has an owner is refused at once."""
    backend = FakeBackend()
    make_pool(nursery, backend, enabled(warm=1)).expect(ClientProfile())
    await wait_all_tasks_blocked()
    server = backend.opened[0]
    server.ask(Request(1, "roots/list"))
    await wait_all_tasks_blocked()
    refusal = next(one for one in server.seen if isinstance(one, Failure))
    assert refusal.code == -32601


async def test_a_server_that_dies_takes_its_requests_back(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """So does one that cancels: the client need not answer."""
    backend, answers, notes = FakeBackend(held_server), Answers(), Notes()
    pool = make_pool(nursery, backend, notes=notes)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    server = backend.opened[0]
    server.ask(Request(1, "sampling/createMessage"))
    server.ask(Request(2, "roots/list"))
    server.notify("notifications/cancelled", {"requestId": 1})
    await wait_all_tasks_blocked()
    retracted: list[str] = []
    first, second = (request for _, request in notes.requests)
    assert first.is_answered
    second.retracted = lambda: retracted.append("second")
    server.die()
    await wait_all_tasks_blocked()
    assert retracted == ["second"]


async def test_servers_are_told_of_their_client(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its capabilities in `initialize`, its log level after it; a spare for another client is not used."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend, enabled(warm=1))
    pool.expect(ClientProfile())
    await wait_all_tasks_blocked()
    able = ClientProfile({"sampling": raw({})}, "warning")
    pool.submit(answers.call(profile=able))
    await wait_all_tasks_blocked()
    told = [
        json.loads(bytes(one.requests("initialize")[0].params or b"")) for one in backend.opened
    ]
    assert [one["capabilities"] for one in told[:2]] == [{}, {"sampling": {}}]
    pool.set_log_level("session:a", "debug")
    pool.inform("session:a", Notification("notifications/roots/list_changed"))
    assert [one.method for one in backend.opened[1].seen if isinstance(one, Notification)] == [
        "notifications/initialized",
        "notifications/roots/list_changed",
    ]
    assert len(backend.opened[1].requests("logging/setLevel")) == 1


async def test_a_server_is_told_only_what_its_revision_has(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Modern ones know nothing of roots that change."""
    backend, answers = FakeBackend(ModernServer), Answers()
    pool = make_pool(nursery, backend, enabled())
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    pool.inform("session:a", Notification("notifications/roots/list_changed"))
    told = [one.method for one in backend.opened[-1].seen if isinstance(one, Notification)]
    assert "notifications/roots/list_changed" not in told


async def test_subscriptions_keep_a_container(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A server that was asked to tell of changes must stay to do it, until it is asked no more."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)

    def subscription(method: str) -> Call:
        call = answers.call()
        call.method = f"resources/{method}"
        call.fields = {"uri": raw("x://1")}
        return call

    pool.submit(subscription("subscribe"))
    await trio.sleep(1000)
    assert len(backend.running) == 1
    pool.submit(subscription("unsubscribe"))
    await trio.sleep(100)
    assert backend.running == []


def held_subscriptions() -> FakeServer:
    """Leaves them for the test to answer."""
    return FakeServer(held=frozenset({"resources/subscribe"}))


def subscribing(answers: Answers, owner: str = "session:a") -> Call:
    """A `resources/subscribe`."""
    call = answers.call(owner)
    call.method, call.fields = "resources/subscribe", {"uri": raw("x://1")}
    return call


async def test_subscriptions_outlive_the_server_that_had_them(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its successor is started for them, and asked for them; the client is told to look at what it may have missed."""
    backend, answers, notes = FakeBackend(), Answers(), Notes()
    pool = make_pool(nursery, backend, notes=notes)
    pool.submit(subscribing(answers))
    await trio.sleep(1)
    backend.opened[0].die()
    await trio.sleep(5)
    (successor,) = backend.running
    (request,) = successor.requests("resources/subscribe")
    assert json.loads(bytes(request.params or b""))["uri"] == "x://1"
    assert ("session:a", "notifications/resources/updated") in [
        (owner, told.method) for owner, _, told in notes.notices
    ]


async def test_a_refused_subscription_keeps_no_container(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """There is nothing that it could tell."""
    backend, answers = FakeBackend(held_subscriptions), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(subscribing(answers))
    await trio.sleep(1)
    server = backend.opened[0]
    server.refuse(server.requests("resources/subscribe")[0], -32601, "what is that?")
    await trio.sleep(100)
    assert backend.running == []


@pytest.mark.parametrize("left", ["before", "after"])
async def test_subscriptions_of_who_has_left_start_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock, left: str
) -> None:
    """Whether the server dies before its owner leaves or because of it."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(subscribing(answers))
    await trio.sleep(1)
    if left == "after":
        backend.opened[0].die()
    pool.release("session:a")
    await trio.sleep(100)
    assert backend.running == []
    assert len(backend.opened) == 1


async def test_a_reload_takes_subscriptions_along(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The new spec's server is asked for them."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(subscribing(answers))
    await trio.sleep(1)
    pool.replace(enabled(spec_hash="spec-2"), backend.open)
    await trio.sleep(5)
    (successor,) = backend.running
    assert len(successor.requests("resources/subscribe")) == 1


async def test_a_server_that_dies_of_its_subscriptions_is_started_ever_more_seldom(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It must not keep the engine busy."""
    backend, answers = FakeBackend(), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(subscribing(answers))
    await trio.sleep(1)
    began = trio.current_time()
    while trio.current_time() < began + 600:
        for server in backend.running:
            server.die()
        await trio.sleep(0.1)
    assert len(backend.opened) < 60


async def test_the_state_is_readable(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """`repr` and `state` say what runs, for whom, and why something failed."""
    backend, answers = FakeBackend(held_server), Answers()
    pool = make_pool(nursery, backend)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    assert repr(pool) == "<ContainerPool fake [busy] waiting=0>"
    state = pool.state()
    assert state.containers[0][:4] == ("fake", "busy", "session:a", 1)
    backend.opened[0].die("killed")
    await wait_all_tasks_blocked()
    assert pool.state().last_error == "killed"


async def test_a_bug_in_a_start_costs_only_that_start(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Some entry finds what nobody thought of; the pool goes on, and with it the gateway."""
    broken = [True]

    def make() -> FakeServer:
        if broken[0]:
            raise ValueError("embedded null byte")
        return FakeServer()

    backend, answers = FakeBackend(make), Answers()
    pool = make_pool(nursery, backend)
    first = answers.call()
    pool.submit(first)
    await wait_all_tasks_blocked()
    assert "the gateway failed to start server fake" in answers.text(first)
    broken[0] = False
    second = answers.call()
    pool.submit(second)
    await wait_all_tasks_blocked()
    assert answers.text(second) == "fake says hello"


async def test_spares_that_are_not_next_are_frozen(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The freshest stays awake for the first call; a second owner's call thaws another, and all are gone at the end."""
    backend, answers, freezer = FakeBackend(), Answers(), FakeFreezer()
    pool = make_pool(nursery, backend, enabled(warm=3, max=3), freezer=freezer)
    await wait_all_tasks_blocked()
    for key in range(1, 4):
        pool._fleet[key].life.tell(ClientProfile())
    await trio.sleep(limits.FREEZE_AFTER_S + 1)
    assert freezer.done == ["freeze fake"] * 2
    assert repr(pool).count("frozen") == 2
    calls = [answers.call(f"session:{name}") for name in "ab"]
    for call in calls:
        pool.submit(call)
    assert len(backend.opened[0].requests("tools/call") + backend.opened[1].requests("tools/call")
               + backend.opened[2].requests("tools/call")) == 1  # fmt: skip
    await wait_all_tasks_blocked()
    assert [answers.text(call) for call in calls] == ["fake says hello"] * 2
    assert pool.state().tally.avoided == 2


async def test_a_container_that_cannot_be_thawed_is_replaced(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The call that woke it is served by another."""
    backend, answers, freezer = FakeBackend(), Answers(), FakeFreezer()
    pool = make_pool(nursery, backend, freezer=freezer)
    pool.submit(answers.call())
    await wait_all_tasks_blocked()
    pool.freeze(1)
    await wait_all_tasks_blocked()
    freezer.fails["thaw"] = StartFailed("it is gone")
    call = answers.call()
    pool.submit(call)
    await wait_all_tasks_blocked()
    assert answers.text(call) == "fake says hello"
    assert len(backend.running) == 1


async def test_a_frozen_container_is_killed_when_the_pool_ends(autojump_clock: MockClock) -> None:
    """It could not read the end of its input, and nobody waits for it."""
    backend, answers, freezer = FakeBackend(), Answers(), FakeFreezer()
    async with trio.open_nursery() as nursery:
        pool = make_pool(nursery, backend, freezer=freezer)
        pool.submit(answers.call())
        await wait_all_tasks_blocked()
        pool.freeze(1)
        pool.inform("session:a", Notification("notifications/roots/list_changed"))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert backend.opened[0].is_killed
