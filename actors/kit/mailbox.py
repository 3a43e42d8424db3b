"""Mailboxes: how actors are asked and told. Must not know what the mail says, nor who reads it.

Rule 1: every ask ends. Its asker gets a value or an error, whatever becomes of the actor: mail unread when the mailbox
closes, and mail in hand when the actor crashes, is failed.
Rule 2: a value is never lost. What an actor resolves reaches the asker, or else the `reclaim` that came with the ask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

import trio

from gateway.errors import ActorGone, Overloaded

T = TypeVar("T")
R = TypeVar("R")


class Reply(Generic[R]):
    """The way back of one ask: settled once, by whoever holds it; later attempts change nothing.

    Args:
        reclaim: Takes each resolved value that nobody will receive, because the asker left or something else came
            first. Runs inside `resolve`, so it must neither block nor raise.
    """

    __slots__ = ("_asker", "_error", "_reclaim", "_value", "abandoned", "settled")

    def __init__(self, reclaim: Callable[[R], object] | None = None) -> None:
        self.abandoned = False
        """Whether the asker was cancelled: nobody waits any more."""
        self.settled = False
        """Whether an answer is there, or on its way to the asker."""
        self._reclaim = reclaim
        self._asker: trio.lowlevel.Task | None = None
        self._value: R | None = None
        self._error: Exception | None = None

    def resolve(self, value: R) -> None:
        """Answers with `value`; one that cannot be delivered is reclaimed instead."""
        if not self._open:
            if self._reclaim is not None:
                self._reclaim(value)
            return
        self._value = value
        self._settle()

    def fail(self, error: Exception) -> None:
        """Answers with `error`, which is raised in the asker."""
        if self._open:
            self._error = error
            self._settle()

    async def wait(self) -> R:
        """The answer. For the asker, once.

        Cancellation: the reply is abandoned at that moment, not when the asker runs again. An answer given before
        that moment is returned even so: a woken task can no longer be cancelled out of its sleep. This is why the
        wait is a bare park and no `trio.Event`.
        """
        if self.settled:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            self._asker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abandon)
        if self._error is not None:
            raise self._error
        return cast("R", self._value)  # settled without an error: by `resolve`

    @property
    def _open(self) -> bool:
        return not (self.settled or self.abandoned)

    def _settle(self) -> None:
        self.settled = True
        if self._asker is not None:
            trio.lowlevel.reschedule(self._asker)

    def _abandon(self, _raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self.abandoned = True
        return trio.lowlevel.Abort.SUCCEEDED

    def __repr__(self) -> str:
        """`<Reply open>`, `<Reply settled>` or `<Reply abandoned>`."""
        state = "abandoned" if self.abandoned else "settled" if self.settled else "open"
        return f"<Reply {state}>"


class Address(Generic[T]):
    """Where to send mail. Stays valid while its actor is restarted; hand it out freely."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Mailbox[T]) -> None:
        self._mailbox = mailbox

    def tell(self, mail: T) -> None:
        """Puts `mail` into the mailbox. Never blocks.

        Raises:
            Overloaded: the mailbox is full.
            ActorGone: the mailbox is closed.
        """
        self._mailbox.put(mail, None)

    async def ask(
        self, make: Callable[[Reply[R]], T], *, reclaim: Callable[[R], object] | None = None
    ) -> R:
        """Sends the mail that `make` builds around a reply, and waits for that reply.

        Args:
            make: Builds the mail, typically the mail's class: `address.ask(Acquire)`.
            reclaim: Takes back an answer that comes after the asker was cancelled (see `Reply`).

        Cancellation: nothing was sent if it struck before; else the mail stays, and its reply is abandoned.

        Raises:
            Overloaded: the mailbox is full.
            ActorGone: the mailbox is closed, or its actor stopped before it answered.
            Exception: what the actor failed the reply with.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        reply: Reply[R] = Reply(reclaim)
        self._mailbox.put(make(reply), reply)
        try:
            return await reply.wait()
        finally:
            self._mailbox.forget(reply)

    def __repr__(self) -> str:
        """`<Address of pool>`."""
        return f"<Address of {self._mailbox.name}>"


class Mailbox(Generic[T]):
    """A bounded queue of mail for one actor. Owned by the actor's supervisor, so that it survives a restart.

    Args:
        capacity: Mails that may wait.
        name: The actor, as it is called in messages to people.
    """

    def __init__(self, capacity: int, *, name: str = "actor") -> None:
        self.name = name
        self.address: Address[T] = Address(self)
        self._capacity = capacity
        self._in, self._out = trio.open_memory_channel[tuple[T, Reply[Any] | None]](capacity)
        # Every ask that somebody waits for, and whether its mail was taken out: what a crash must fail.
        self._asks: dict[Reply[Any], bool] = {}

    @property
    def depth(self) -> int:
        """Mails that wait."""
        return self._out.statistics().current_buffer_used

    async def receive(self) -> T:
        """Takes out the oldest mail; waits for one. One reader at a time.

        Cancellation: no mail is lost.

        Raises:
            ActorGone: the mailbox is closed.
        """
        try:
            mail, reply = await self._out.receive()
        except trio.EndOfChannel as error:
            raise ActorGone(f"the mailbox of {self.name} is closed") from error
        if reply in self._asks:
            self._asks[reply] = True
        return mail

    def fail_unread(self, error: Exception) -> list[T]:
        """Takes out all waiting mail and fails the asks in it; returns it, for what was only told."""
        unread: list[T] = []
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                mail, reply = self._out.receive_nowait()
                unread.append(mail)
                if reply is not None:
                    reply.fail(error)
        return unread

    def fail_taken(self) -> None:
        """Fails every ask whose mail was taken out but not answered: its actor has stopped, and will never do it."""
        for reply, taken in self._asks.items():
            if taken:
                reply.fail(ActorGone(f"{self.name} stopped before it answered"))

    def close(self) -> list[T]:
        """Ends the mailbox: no more mail comes in, and what is unread is failed and returned. Idempotent."""
        self._in.close()
        return self.fail_unread(ActorGone(f"{self.name} has ended"))

    def put(self, mail: T, reply: Reply[Any] | None) -> None:
        """Queues `mail`. For `Address` only.

        Raises:
            Overloaded, ActorGone
        """
        try:
            self._in.send_nowait((mail, reply))
        except trio.WouldBlock as error:
            raise Overloaded(
                f"{self.name} has {self._capacity} mails waiting and takes no more; try again later"
            ) from error
        except trio.ClosedResourceError as error:
            raise ActorGone(f"{self.name} has ended") from error
        if reply is not None:
            self._asks[reply] = False

    def forget(self, reply: Reply[Any]) -> None:
        """Nobody waits for `reply` any more. For `Address` only."""
        del self._asks[reply]

    def __repr__(self) -> str:
        """`<Mailbox of pool: 2 of 64 waiting, 1 ask open>`."""
        asks = len(self._asks)
        plural = "" if asks == 1 else "s"
        return f"<Mailbox of {self.name}: {self.depth} of {self._capacity} waiting, {asks} ask{plural} open>"


async def serve(mailbox: Mailbox[T], handle: Callable[[T], Awaitable[object]]) -> None:
    """Handles mail after mail until the mailbox closes. However it ends, asks in hand are failed, never dropped."""
    try:
        while True:
            try:
                mail = await mailbox.receive()
            except ActorGone:
                return
            await handle(mail)
    finally:
        mailbox.fail_taken()
