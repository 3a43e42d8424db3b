"""The inbox: bounded, and what came before the end is still handed out."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway import limits
from gateway.errors import Gone
from gateway.jsonrpc.messages import Notification
from gateway.upstreams.inbox import Inbox

NOTE = Notification("n")


async def test_who_puts_waits_while_it_is_full(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    """So the socket is not read."""
    monkeypatch.setattr(limits, "REMOTE_INBOX_MESSAGES", 2)
    inbox = Inbox()
    done = trio.Event()

    async def put_three() -> None:
        for _ in range(3):
            await inbox.put(NOTE)
        done.set()

    nursery.start_soon(put_three)
    await wait_all_tasks_blocked()
    assert not done.is_set()
    assert await inbox.get() == NOTE
    await done.wait()


async def test_what_came_before_the_end_is_handed_out() -> None:
    """Then the first reason, as often as it is asked for."""
    inbox = Inbox()
    await inbox.put(NOTE)
    inbox.end("over")
    inbox.end("again")
    await inbox.put(NOTE)
    assert inbox.ended == "over"
    assert await inbox.get() == NOTE
    for _ in range(2):
        with pytest.raises(Gone, match="over"):
            await inbox.get()


async def test_the_end_wakes_who_waits_on_either_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader of an empty one, a writer of a full one."""
    monkeypatch.setattr(limits, "REMOTE_INBOX_MESSAGES", 0)
    full, empty = Inbox(), Inbox()
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(full.put, NOTE)
            nursery.start_soon(_expect_gone, empty)
            await wait_all_tasks_blocked()
            full.end("over")
            empty.end("over")


async def _expect_gone(inbox: Inbox) -> None:
    with pytest.raises(Gone, match="over"):
        await inbox.get()
