"""Supervision: who is restarted, when it is given up, and how all of it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.kit.backoff import BackoffPolicy
from actors.kit.mailbox import Mailbox, Reply
from actors.kit.supervisor import ChildSpec, ChildState, Supervisor
from gateway.errors import ActorGone, Overloaded, RestartLimitExceeded

NO_PAUSE = BackoffPolicy(0.0, 0.0, 60.0)


class Life:
    """A child that writes down what happens to it."""

    def __init__(self, journal: list[str], name: str) -> None:
        self.journal = journal
        self.name = name
        self.end = trio.Event()

    async def run(self) -> None:
        """Lives until it is told to end, or is cancelled."""
        self.journal.append(f"{self.name} starts")
        try:
            await self.end.wait()
            self.journal.append(f"{self.name} ends")
        except trio.Cancelled:
            self.journal.append(f"{self.name} is cancelled")
            raise


def crashing(times: int) -> Callable[[], Awaitable[object]]:
    """A child's `run` that crashes so many times, then lives on."""
    left = [times]

    async def run() -> None:
        await trio.lowlevel.checkpoint()
        if left[0]:
            left[0] -= 1
            raise ValueError(f"crash with {left[0]} to go")
        await trio.sleep_forever()

    return run


@asynccontextmanager
async def running(*children: ChildSpec) -> AsyncIterator[Supervisor]:
    """A supervisor that runs, and is stopped at the end."""
    supervisor = Supervisor("root", Random(1), children)
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        try:
            yield supervisor
        finally:
            nursery.cancel_scope.deadline = trio.current_time() + 100.0
            await supervisor.stop()


async def test_children_start_in_order_and_stop_in_reverse() -> None:
    """What was started last is stopped first."""
    journal: list[str] = []
    specs = [ChildSpec(name=name, run=Life(journal, name).run) for name in "abc"]
    async with running(*specs) as supervisor:
        await wait_all_tasks_blocked()
        assert journal == ["a starts", "b starts", "c starts"]
        await supervisor.stop()
        assert journal[3:] == ["c is cancelled", "b is cancelled", "a is cancelled"]
        assert supervisor.children() == []


async def test_the_next_child_waits_for_one_that_signals_its_start(mock_clock: MockClock) -> None:
    """A child that takes its time to come up holds back those after it, and the supervisor's own signal."""
    journal: list[str] = []
    gate = trio.Event()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await gate.wait()
        journal.append("slow is up")
        task_status.started()
        await trio.sleep_forever()

    supervisor = Supervisor(
        "root",
        Random(1),
        [
            ChildSpec(name="slow", run=slow, signals_start=True),
            ChildSpec(name="next", run=Life(journal, "next").run),
        ],
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nursery.start, supervisor.run)
        await wait_all_tasks_blocked()
        assert supervisor.children() == [
            ChildState("slow", "starting", 0, mock_clock.current_time())
        ]
        gate.set()
        await wait_all_tasks_blocked()
        assert journal == ["slow is up", "next starts"]
        await supervisor.stop()


async def test_a_stop_while_children_come_up_ends_the_start() -> None:
    """A child that never comes up does not keep the supervisor from ending."""

    async def never(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    supervisor = Supervisor("root", Random(1), [ChildSpec(name="a", run=never, signals_start=True)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nursery.start, supervisor.run)
        await wait_all_tasks_blocked()
        await supervisor.stop()
        assert supervisor.children() == []


async def test_a_crashed_child_is_restarted_alone(autojump_clock: MockClock) -> None:
    """One crash: one restart after a pause; the sibling notices nothing."""
    journal: list[str] = []
    async with running(
        ChildSpec(name="sibling", run=Life(journal, "sibling").run),
        ChildSpec(name="pool", run=crashing(1), backoff=BackoffPolicy(8.0, 8.0, 60.0)),
    ) as supervisor:
        await wait_all_tasks_blocked()
        assert repr(supervisor) == "<Supervisor root: sibling running, pool restarting (1 restart)>"
        await trio.sleep(8.0)
        assert [(child.state, child.restarts) for child in supervisor.children()] == [
            ("running", 0),
            ("running", 1),
        ]
        assert journal == ["sibling starts"]
    assert repr(supervisor) == "<Supervisor root: no children>"


@pytest.mark.parametrize(
    ("restart", "crashes", "lives"),
    [
        ("permanent", False, 2),
        ("permanent", True, 2),
        ("transient", False, 1),
        ("transient", True, 2),
        ("temporary", False, 1),
        ("temporary", True, 1),
    ],
)
async def test_who_is_restarted(restart: str, *, crashes: bool, lives: int) -> None:
    """Permanent children always, transient ones after a crash, temporary ones never."""
    lived: list[int] = []

    async def run() -> None:
        await trio.lowlevel.checkpoint()
        lived.append(1)
        if len(lived) == 2:
            await trio.sleep_forever()
        if crashes:
            raise ValueError("crash")

    async with running(
        ChildSpec(name="a", run=run, restart=restart, backoff=NO_PAUSE)
    ) as supervisor:
        await wait_all_tasks_blocked()
        assert len(lived) == lives
        assert len(supervisor.children()) == lives - 1


async def test_too_many_crashes_take_the_supervisor_down_in_order() -> None:
    """Past the intensity the others are stopped in reverse order, and the last crash is the cause."""
    journal: list[str] = []
    gate = trio.Event()

    async def gated() -> None:
        await gate.wait()
        raise ValueError("crash")

    specs = [ChildSpec(name=name, run=Life(journal, name).run) for name in "ab"]
    supervisor = Supervisor(
        "root", Random(1), [*specs, ChildSpec(name="c", run=gated, intensity=2, backoff=NO_PAUSE)]
    )
    gave_up = pytest.RaisesExc(
        RestartLimitExceeded,
        match="c ended more than 2 times in 60 s; root gives up",
        check=lambda error: isinstance(error.__cause__, ValueError),
    )
    with pytest.RaisesGroup(gave_up):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            gate.set()
    assert journal == ["a starts", "b starts", "b is cancelled", "a is cancelled"]


async def test_crashes_out_of_the_period_are_forgotten(autojump_clock: MockClock) -> None:
    """A child that crashes now and then is restarted for ever."""

    async def now_and_then() -> None:
        await trio.sleep(30.0)
        raise ValueError("crash")

    spec = ChildSpec(name="a", run=now_and_then, intensity=2, period_s=60.0, backoff=NO_PAUSE)
    async with running(spec) as supervisor:
        await trio.sleep(1000.0)
        assert supervisor.children()[0].restarts == 33


async def test_a_child_that_keeps_ending_is_given_up_without_a_cause() -> None:
    """A permanent child must not end; one that does so again and again fails its supervisor."""
    spec = ChildSpec(name="a", run=trio.lowlevel.checkpoint, intensity=1, backoff=NO_PAUSE)
    with pytest.raises(RestartLimitExceeded) as caught:
        await Supervisor("root", Random(1), [spec]).run()
    assert caught.value.__cause__ is None


async def test_a_supervisor_is_a_child_that_can_be_restarted() -> None:
    """A parent restarts a supervisor that gave up, with all its children."""
    inner = Supervisor(
        "inner",
        Random(1),
        [ChildSpec(name="leaf", run=crashing(1), intensity=0, backoff=NO_PAUSE)],
    )
    spec = ChildSpec(name="inner", run=inner.run, signals_start=True, stop=None, backoff=NO_PAUSE)
    async with running(spec) as outer:
        await wait_all_tasks_blocked()
        assert outer.children()[0].restarts == 1
        assert [child.name for child in inner.children()] == ["leaf"]


async def test_a_child_is_asked_to_end_before_it_is_cancelled() -> None:
    """A child that ends when asked is not cancelled."""
    journal: list[str] = []
    life = Life(journal, "a")
    async with running(ChildSpec(name="a", run=life.run, stop=life.end.set)) as supervisor:
        await supervisor.stop()
    assert journal == ["a starts", "a ends"]


async def test_a_child_that_does_not_end_in_time_is_cancelled(autojump_clock: MockClock) -> None:
    """The grace of a child is its `shutdown_s`, and its state tells."""
    journal: list[str] = []
    spec = ChildSpec(name="a", run=Life(journal, "a").run, stop=lambda: None, shutdown_s=3.0)
    async with running(spec) as supervisor, trio.open_nursery() as nursery:
        start = trio.current_time()
        nursery.start_soon(supervisor.stop_child, "a")
        nursery.start_soon(supervisor.stop_child, "a")
        await wait_all_tasks_blocked()
        assert supervisor.children() == [ChildState("a", "stopping", 0, start)]
    assert trio.current_time() - start == 3.0
    assert journal == ["a starts", "a is cancelled"]


async def test_a_child_that_cannot_be_asked_is_cancelled() -> None:
    """A full mailbox does not keep anything alive."""
    journal: list[str] = []

    def ask() -> None:
        raise Overloaded("full")

    async with running(ChildSpec(name="a", run=Life(journal, "a").run, stop=ask)) as supervisor:
        await supervisor.stop_child("a")
        await supervisor.stop_child("a")
    assert journal == ["a starts", "a is cancelled"]


async def test_cancelling_a_stop_cancels_the_child() -> None:
    """Who gives up the wait for a child's end ends it."""
    journal: list[str] = []
    spec = ChildSpec(name="a", run=Life(journal, "a").run, stop=lambda: None)
    async with running(spec) as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.stop_child, "a")
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        assert supervisor.children() == []
    assert journal == ["a starts", "a is cancelled"]


async def test_a_child_can_be_stopped_in_its_pause() -> None:
    """A child that waits for its restart is not started again."""
    async with running(
        ChildSpec(name="a", run=crashing(9), backoff=BackoffPolicy(99.0, 99.0, 1.0))
    ) as supervisor:
        await wait_all_tasks_blocked()
        assert supervisor.children()[0].state == "restarting"
        await supervisor.stop_child("a")
        assert supervisor.children() == []


async def test_a_failing_clean_up_does_not_spread() -> None:
    """An error that a cancelled child raises beside its cancellation stays with it."""

    async def unclean() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("unclean")

    async with running(ChildSpec(name="a", run=unclean)) as supervisor:
        await wait_all_tasks_blocked()
        await supervisor.stop_child("a")
        assert supervisor.children() == []


async def test_children_started_later_stop_first_and_together(autojump_clock: MockClock) -> None:
    """Dynamic children share one grace, and are gone before the static ones are touched."""
    journal: list[str] = []
    start = trio.current_time()
    async with running(ChildSpec(name="static", run=Life(journal, "static").run)) as supervisor:
        for name in "ab":
            run = Life(journal, name).run
            supervisor.start_child(ChildSpec(name=name, run=run, stop=lambda: None, shutdown_s=2.0))
        await wait_all_tasks_blocked()
        assert [child.name for child in supervisor.children()] == ["static", "a", "b"]
        await supervisor.stop()
    assert trio.current_time() - start == 2.0
    assert sorted(journal[3:5]) == ["a is cancelled", "b is cancelled"]
    assert journal[5] == "static is cancelled"


async def test_no_child_is_started_outside_of_a_run() -> None:
    """Before the start, and once the end has begun, nothing new comes up."""
    spec = ChildSpec(name="late", run=trio.sleep_forever)
    supervisor = Supervisor("root", Random(1))
    with pytest.raises(ActorGone, match="root is not running"):
        supervisor.start_child(spec)
    await supervisor.stop()
    async with running() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.stop)
        await wait_all_tasks_blocked()
        with pytest.raises(ActorGone):
            supervisor.start_child(spec)


async def test_no_child_is_started_between_the_word_to_stop_and_the_stopping() -> None:
    """The end begins with `stop`, not when the supervisor's task runs next."""
    async with running() as supervisor:
        with trio.CancelScope() as scope:
            scope.cancel()
            await supervisor.stop()
        with pytest.raises(ActorGone):
            supervisor.start_child(ChildSpec(name="late", run=trio.sleep_forever))


async def test_a_name_is_taken_once() -> None:
    """Two children of one name are a bug."""
    spec = ChildSpec(name="a", run=trio.sleep_forever)
    async with running(spec) as supervisor:
        with pytest.raises(ValueError, match="root has a child a already"):
            supervisor.start_child(spec)


async def test_mailboxes_outlive_a_crash_and_close_with_the_last_life() -> None:
    """Asks in hand at a crash fail, unread ones reach the next life, and after the last one senders are told."""
    mailbox: Mailbox[Reply[str]] = Mailbox(4, name="pool")
    results: list[str] = []

    async def serve_one() -> None:
        reply = await mailbox.receive()
        if not results:
            raise ValueError("crash")
        reply.resolve("lease")
        await trio.sleep_forever()

    async def ask() -> None:
        try:
            results.append(await mailbox.address.ask(lambda reply: reply))
        except ActorGone as error:
            results.append(str(error))

    spec = ChildSpec(name="pool", run=serve_one, backoff=NO_PAUSE, mailboxes=(mailbox,))
    async with running(spec) as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert results == ["pool stopped before it answered", "lease"]
        await supervisor.stop()
        with pytest.raises(ActorGone, match="pool has ended"):
            mailbox.address.tell(Reply())


async def test_a_mailbox_of_an_inner_child_outlives_the_inner_supervisor() -> None:
    """Listed with the supervisor that is restarted, a mailbox stays open through that restart."""
    mailbox: Mailbox[Reply[str]] = Mailbox(4, name="leaf")
    lives: list[int] = []

    async def leaf() -> None:
        lives.append(1)
        reply = await mailbox.receive()
        if len(lives) == 1:
            raise ValueError("crash")
        reply.resolve("lease")
        await trio.sleep_forever()

    inner = Supervisor("inner", Random(1), [ChildSpec(name="leaf", run=leaf, intensity=0)])
    spec = ChildSpec(name="inner", run=inner.run, backoff=NO_PAUSE, mailboxes=(mailbox,))
    async with running(spec):
        with pytest.raises(ActorGone, match="leaf stopped before it answered"):
            await mailbox.address.ask(lambda reply: reply)
        assert await mailbox.address.ask(lambda reply: reply) == "lease"


async def test_nothing_is_restarted_once_the_end_has_begun(autojump_clock: MockClock) -> None:
    """A child that crashes while others are being stopped stays down, however permanent."""
    journal: list[str] = []

    async def crash_late() -> None:
        journal.append("a starts")
        await trio.sleep(1.0)
        raise ValueError("crash")

    stubborn = Life(journal, "b")
    async with running(
        ChildSpec(name="a", run=crash_late, intensity=0, backoff=NO_PAUSE),
        ChildSpec(name="b", run=stubborn.run, stop=lambda: None, shutdown_s=2.0),
    ) as supervisor:
        await supervisor.stop()
    assert journal == ["a starts", "b starts", "b is cancelled"]


async def test_cancelling_the_run_leaves_no_child() -> None:
    """A supervisor that is cancelled takes all down at once."""
    journal: list[str] = []
    supervisor = Supervisor("root", Random(1), [ChildSpec(name="a", run=Life(journal, "a").run)])
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert journal == ["a starts", "a is cancelled"]
    assert supervisor.children() == []
    with pytest.raises(ActorGone):
        supervisor.start_child(ChildSpec(name="b", run=trio.sleep_forever))
