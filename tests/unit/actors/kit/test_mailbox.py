"""Mail, asks and replies: bounded, never lost, always answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.kit.mailbox import Mailbox, Reply, serve
from gateway.errors import ActorGone, Overloaded


class Acquire(NamedTuple):
    """Mail that asks for a lease."""

    reply: Reply[str]


@contextmanager
def asking(
    nursery: trio.Nursery,
    mailbox: Mailbox[Acquire],
    reclaim: Callable[[str], object] | None = None,
) -> Iterator[tuple[trio.CancelScope, list[str | Exception]]]:
    """An ask in a task of its own: the scope that cancels it, and what came of it."""
    scope, outcome = trio.CancelScope(), []

    async def ask() -> None:
        with scope:
            try:
                outcome.append(await mailbox.address.ask(Acquire, reclaim=reclaim))
            except ActorGone as error:
                outcome.append(error)

    nursery.start_soon(ask)
    yield scope, outcome


async def test_mail_arrives_in_order() -> None:
    """What is told first is received first."""
    mailbox: Mailbox[int] = Mailbox(2)
    mailbox.address.tell(1)
    mailbox.address.tell(2)
    assert mailbox.depth == 2
    assert [await mailbox.receive(), await mailbox.receive()] == [1, 2]
    assert mailbox.depth == 0


async def test_a_full_mailbox_refuses_more() -> None:
    """A mailbox holds its capacity and says so in words."""
    mailbox: Mailbox[int] = Mailbox(1, name="pool")
    mailbox.address.tell(1)
    with pytest.raises(Overloaded, match="pool has 1 mails waiting"):
        mailbox.address.tell(2)
    with pytest.raises(Overloaded):
        await mailbox.address.ask(lambda _: 3)
    assert mailbox.fail_unread(ActorGone("x")) == [1]


async def test_a_closed_mailbox_refuses_all() -> None:
    """After the end, senders and the reader learn that there is nobody."""
    mailbox: Mailbox[int] = Mailbox(1, name="pool")
    mailbox.address.tell(1)
    assert mailbox.close() == [1]
    assert mailbox.close() == []
    with pytest.raises(ActorGone, match="pool has ended"):
        mailbox.address.tell(2)
    with pytest.raises(ActorGone, match="the mailbox of pool is closed"):
        await mailbox.receive()


async def test_a_waiting_reader_learns_of_the_close() -> None:
    """A reader that sleeps in `receive` is woken by `close`."""
    mailbox: Mailbox[int] = Mailbox(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, mailbox, trio.sleep)
        await wait_all_tasks_blocked()
        mailbox.close()


async def test_an_ask_is_answered() -> None:
    """The value given to the reply is what the ask returns."""
    mailbox: Mailbox[Acquire] = Mailbox(1)
    async with trio.open_nursery() as nursery:
        with asking(nursery, mailbox) as (_, outcome):
            (await mailbox.receive()).reply.resolve("lease")
    assert outcome == ["lease"]


async def test_an_ask_fails_with_the_error_of_its_reply() -> None:
    """The error given to the reply is raised in the asker."""
    mailbox: Mailbox[Acquire] = Mailbox(1)
    async with trio.open_nursery() as nursery:
        with asking(nursery, mailbox) as (_, outcome):
            (await mailbox.receive()).reply.fail(error := ActorGone("no more"))
    assert outcome == [error]


async def test_a_cancelled_asker_sends_nothing() -> None:
    """An ask inside a cancelled scope leaves no mail."""
    mailbox: Mailbox[Acquire] = Mailbox(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await mailbox.address.ask(Acquire)
    assert mailbox.depth == 0


async def test_mail_unread_at_the_close_is_failed() -> None:
    """An ask that nobody read ends when the mailbox does."""
    mailbox: Mailbox[Acquire] = Mailbox(1, name="pool")
    async with trio.open_nursery() as nursery:
        with asking(nursery, mailbox) as (_, outcome):
            await wait_all_tasks_blocked()
            (mail,) = mailbox.close()
    assert str(outcome[0]) == "pool has ended"
    assert mail.reply.settled


async def test_mail_in_hand_at_a_crash_is_failed_and_unread_mail_kept() -> None:
    """The crash of an actor costs only the asks that it had taken."""
    mailbox: Mailbox[Acquire] = Mailbox(2, name="pool")

    async def crash(_mail: Acquire) -> None:
        raise RuntimeError("bug")

    async with trio.open_nursery() as nursery:
        with asking(nursery, mailbox) as (_, first), asking(nursery, mailbox) as (_, second):
            await wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="bug"):
                await serve(mailbox, crash)
            assert mailbox.depth == 1
            await wait_all_tasks_blocked()
            (await mailbox.receive()).reply.resolve("lease")
    results = [first[0], second[0]]
    assert "lease" in results
    assert "pool stopped before it answered" in map(str, results)


async def test_an_ask_that_the_actor_keeps_for_later_is_failed_with_it() -> None:
    """Also a reply that was put aside by its handler ends when the actor does."""
    mailbox: Mailbox[Acquire] = Mailbox(1)
    waiting: list[Acquire] = []

    async def keep(mail: Acquire) -> None:
        waiting.append(mail)
        await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        with asking(nursery, mailbox) as (_, outcome):
            async with trio.open_nursery() as actor:
                actor.start_soon(serve, mailbox, keep)
                await wait_all_tasks_blocked()
                actor.cancel_scope.cancel()
    assert waiting[0].reply.settled
    assert isinstance(outcome[0], ActorGone)


async def test_a_reply_knows_that_its_asker_left() -> None:
    """The actor can see that nobody waits, at the moment of the cancel."""
    mailbox: Mailbox[Acquire] = Mailbox(1)
    async with trio.open_nursery() as nursery:
        with asking(nursery, mailbox) as (scope, _):
            mail = await mailbox.receive()
            assert repr(mail.reply) == "<Reply open>"
            scope.cancel()
            assert mail.reply.abandoned
            assert repr(mail.reply) == "<Reply abandoned>"


async def test_without_reclaim_a_late_value_is_simply_dropped() -> None:
    """An answer that owns nothing needs no way back."""
    reply: Reply[str] = Reply()
    reply.fail(ActorGone("x"))
    reply.resolve("late")
    reply.fail(ActorGone("later"))
    with pytest.raises(ActorGone, match="x"):
        await reply.wait()


async def test_a_reply_settled_before_the_wait_is_returned() -> None:
    """The order of `resolve` and `wait` does not matter."""
    reply: Reply[str] = Reply()
    reply.resolve("early")
    assert repr(reply) == "<Reply settled>"
    assert await reply.wait() == "early"


Step = Callable[[trio.CancelScope, Reply[str]], object]
STEPS: dict[str, Step] = {
    "cancel": lambda scope, _: scope.cancel(),
    "resolve": lambda _, reply: reply.resolve("lease"),
    "fail": lambda _, reply: reply.fail(ActorGone("stopped")),
}


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.booleans()), max_size=5),
    asked_first=st.booleans(),
)
def test_no_lease_is_lost_between_a_cancel_and_its_delivery(
    *, steps: list[tuple[str, bool]], asked_first: bool
) -> None:
    """Whatever order cancels, answers and task switches come in, each lease is delivered or reclaimed, once."""

    async def main() -> None:
        mailbox: Mailbox[Acquire] = Mailbox(1)
        reclaimed: list[str] = []
        async with trio.open_nursery() as nursery:
            with asking(nursery, mailbox, reclaimed.append) as (scope, outcome):
                if asked_first:
                    await wait_all_tasks_blocked()
                mail = await mailbox.receive()
                for step, switch in steps:
                    STEPS[step](scope, mail.reply)
                    if switch:
                        await wait_all_tasks_blocked()
                mail.reply.fail(ActorGone("end"))
        given_out = sum(step == "resolve" for step, _ in steps)
        assert outcome.count("lease") + len(reclaimed) == given_out
        assert len(outcome) <= 1

    trio.run(main)


@pytest.mark.parametrize("switches", range(6))
async def test_cancel_here(switches: int) -> None:
    """An asker cancelled after any number of task switches either has its lease or gave it back."""
    mailbox: Mailbox[Acquire] = Mailbox(1)
    reclaimed: list[str] = []

    async def lend(mail: Acquire) -> None:
        mail.reply.resolve("lease")
        await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as actor:
        actor.start_soon(serve, mailbox, lend)
        async with trio.open_nursery() as nursery:
            with asking(nursery, mailbox, reclaimed.append) as (scope, outcome):
                for _ in range(switches):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
        await wait_all_tasks_blocked()
        actor.cancel_scope.cancel()
    assert mailbox.depth == 0
    assert len(outcome) + len(reclaimed) <= 1
    assert repr(mailbox).endswith("0 asks open>")


async def test_reprs_say_what_waits() -> None:
    """A mailbox shows its owner, its depth and its open asks."""
    mailbox: Mailbox[Acquire] = Mailbox(4, name="pool")
    assert repr(mailbox.address) == "<Address of pool>"
    async with trio.open_nursery() as nursery:
        with asking(nursery, mailbox):
            await wait_all_tasks_blocked()
            assert repr(mailbox) == "<Mailbox of pool: 1 of 4 waiting, 1 ask open>"
            mailbox.close()
