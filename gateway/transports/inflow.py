"""What comes from clients: one task reads for all connections. Must not know HTTP.

Where each connection's task waits for its own socket, a small request costs more for that (a registration with the
kernel, two turns of the loop, a task switch) than for all that is done with it. Here the sockets of all connections
stand behind one descriptor, are registered once, and are read from one turn of the loop. A connection's `taker` may
serve what came there and then; what it leaves wakes the connection's task.

Clients are read from in turn, and in one turn of the loop not more than a share of it from one that is not alone: whoever
calls now and then is not behind all that a busy client has sent on a hundred connections.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Hashable
from typing import Final

import trio

from gateway import limits
from gateway.sharing import Company, Turns, share
from gateway.telemetry.log import get_logger

Taker = Callable[[bytes], bool]
"""Gets what a client has sent (b"" for its end) before the connection's task does; says whether it has taken it."""

_EVENTS: Final = (
    select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET if hasattr(select, "epoll") else 0
)
"""Each arrival is told once (edge-triggered): who waits for its turn here would be told of again and again otherwise."""
_ARRIVAL: Final = select.EPOLLIN if hasattr(select, "epoll") else 0
"""What is told of an arrival that is not the last one."""
_SHARE: Final = share(limits.READS_PER_TURN)

_log = get_logger("http")


class Inflow:
    """The receiving direction of one connection. One task receives.

    Args:
        switchboard: what watches the descriptor.
        descriptor: a socket that does not block; closed by its owner after `close`.
    """

    def __init__(self, switchboard: Switchboard, descriptor: int) -> None:
        self.descriptor = descriptor
        self.taker: Taker | None = None
        """Who is asked first, as long as the task waits."""
        self.client: Hashable = None
        """Whose connection it is; None before that is known."""
        self.waits = False
        """Whether it waits for its turn."""
        self._switchboard = switchboard
        self._watched = False
        self._closed = False
        self._receiver: trio.lowlevel.Task | None = None
        """The task that waits."""
        self._max_bytes = limits.READ_CHUNK_BYTES
        self._came = b""
        self._has_more = False
        """Whether the next read may not be the last one."""
        self._fault: OSError | None = None

    def __repr__(self) -> str:
        """Its descriptor and what it does."""
        state = "closed" if self._closed else "awaited" if self._receiver else "at rest"
        return f"<Inflow {self.descriptor} {state}>"

    async def receive(self, max_bytes: int) -> bytes:
        """The next bytes, b"" at the end.

        Cancellation: nothing is lost.

        Raises:
            trio.BrokenResourceError: the connection is broken.
            trio.ClosedResourceError: it was closed here.
        """
        if not self._closed:
            self._max_bytes = max_bytes
            if not self._watched:
                self._watched = True
                self._switchboard.watch(self)
            self._receiver = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)
        if self._closed:
            raise trio.ClosedResourceError("this connection was closed here")
        if self._fault is not None:
            raise trio.BrokenResourceError(f"the client is gone: {self._fault}") from self._fault
        came, self._came = self._came, b""
        return came

    def stir(self, events: int) -> None:
        """Takes note of what the kernel tells; `turn` follows."""
        if events != _ARRIVAL:
            # Its end comes behind what came, and is not told of again.
            self._has_more = True

    def turn(self) -> None:
        """Reads once; called when something is there."""
        if self._receiver is None:
            # Nobody wants it now. Whoever wants it later is told when it is watched again.
            self._rest()
            return
        try:
            came = os.read(self.descriptor, self._max_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            self._fault = error
            self._rest()
        else:
            if self._has_more or len(came) == self._max_bytes:
                self._has_more = False
                self._switchboard.ask_again(self)
            if self.taker is not None and self.taker(came):
                return
            self._came = came
        self._wake()

    def close(self) -> None:
        """Watches no more; who receives is told. Idempotent."""
        if not self._closed:
            self._closed = True
            self._rest()
            self._wake()

    def _rest(self) -> None:
        if self._watched:
            self._watched = False
            self._switchboard.forget(self)

    def _wake(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            trio.lowlevel.reschedule(receiver)

    def _give_up(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED


class Switchboard:
    """Tells the inflows of all connections when something is there for them."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._inflows: dict[int, Inflow] = {}
        self._turns: Turns[Inflow] = Turns()
        """Those that wait for their turn; a closed one is passed over when that comes."""
        self._company = Company(trio.current_time)

    def __repr__(self) -> str:
        """How many it watches."""
        return f"<Switchboard of {len(self._inflows)}>"

    def watch(self, inflow: Inflow) -> None:
        """Has `inflow.turn` called when something is there, and whenever more comes, until it is forgotten."""
        self._inflows[inflow.descriptor] = inflow
        if not self._epoll.closed:
            self._epoll.register(inflow.descriptor, _EVENTS)

    def ask_again(self, inflow: Inflow) -> None:
        """Has `inflow.turn` called once more if something is there still."""
        if not self._epoll.closed:
            self._epoll.modify(inflow.descriptor, _EVENTS)

    def forget(self, inflow: Inflow) -> None:
        """Watches it no more; its descriptor is still open."""
        del self._inflows[inflow.descriptor]
        if not self._epoll.closed:
            self._epoll.unregister(inflow.descriptor)

    async def run(self) -> None:
        """Watches until cancelled."""
        try:
            while True:
                if self._turns:
                    await trio.lowlevel.checkpoint()
                else:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                self._turn()
        finally:
            self._epoll.close()

    def _turn(self) -> None:
        """Reads from those whose turn it is."""
        if self._company.is_alone:
            most, ready = limits.READS_PER_TURN, self._ready(limits.READS_PER_TURN)
        else:
            most, ready = _SHARE, self._ready(limits.READY_PER_TURN)
        if not self._turns and len(ready) <= most:
            for inflow in ready:
                self._serve(inflow)
            return
        for inflow in ready:
            if not inflow.waits:
                inflow.waits = True
                self._turns.add(inflow.client, inflow)
        for inflow in self._turns.take(limits.READS_PER_TURN, each=most):
            inflow.waits = False
            self._serve(inflow)

    def _ready(self, count: int) -> list[Inflow]:
        """Those of which the kernel tells something new; at most so many."""
        ready = []
        for descriptor, events in self._epoll.poll(0, count):
            inflow = self._inflows[descriptor]
            inflow.stir(events)
            ready.append(inflow)
        return ready

    def _serve(self, inflow: Inflow) -> None:
        """One connection's turn. What fails there costs that connection only."""
        if inflow.client is not None:
            self._company.see(inflow.client)
        try:
            inflow.turn()
        except Exception as error:  # noqa: BLE001 -- the edge: one broken request must not end the others
            _log.crash("request_failed", error)
            inflow.close()
        if inflow.client is None:
            # Who does not say who it is counts as a client of its own, from its second message on.
            inflow.client = inflow.descriptor


def open_switchboard() -> Switchboard | None:
    """A switchboard, to be run; None where the system has none, so that each connection waits by itself."""
    return Switchboard() if hasattr(select, "epoll") else None
