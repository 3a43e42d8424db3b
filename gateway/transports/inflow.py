"""What comes from clients: one task reads for all connections. Must not know HTTP.

Where each connection's task waits for its own socket, a small request costs more for that (a registration with the
kernel, two turns of the loop, a task switch) than for all that is done with it. Here the sockets of all connections
stand behind one descriptor, are registered once, and are read from one turn of the loop. A connection's `taker` may
serve what came there and then; what it leaves wakes the connection's task.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable

import trio

from gateway import limits
from gateway.telemetry.log import get_logger

Taker = Callable[[bytes], bool]
"""Gets what a client has sent (b"" for its end) before the connection's task does; says whether it has taken it."""

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
        self._switchboard = switchboard
        self._watched = False
        self._closed = False
        self._receiver: trio.lowlevel.Task | None = None
        """The task that waits."""
        self._max_bytes = limits.READ_CHUNK_BYTES
        self._came = b""
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

    def turn(self) -> None:
        """Reads once; called when something is there."""
        if self._receiver is None:
            # Nobody wants it now, and the kernel would go on telling.
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

    def __repr__(self) -> str:
        """How many it watches."""
        return f"<Switchboard of {len(self._inflows)}>"

    def watch(self, inflow: Inflow) -> None:
        """Has `inflow.turn` called whenever something is there, until it is forgotten."""
        self._inflows[inflow.descriptor] = inflow
        if not self._epoll.closed:
            self._epoll.register(inflow.descriptor, select.EPOLLIN)

    def forget(self, inflow: Inflow) -> None:
        """Watches it no more; its descriptor is still open."""
        del self._inflows[inflow.descriptor]
        if not self._epoll.closed:
            self._epoll.unregister(inflow.descriptor)

    async def run(self) -> None:
        """Watches until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for descriptor, _ in self._epoll.poll(0, limits.READS_PER_TURN):
                    # Serving one may close another.
                    if (inflow := self._inflows.get(descriptor)) is not None:
                        _turn(inflow)
        finally:
            self._epoll.close()


def open_switchboard() -> Switchboard | None:
    """A switchboard, to be run; None where the system has none, so that each connection waits by itself."""
    return Switchboard() if hasattr(select, "epoll") else None


def _turn(inflow: Inflow) -> None:
    """One connection's turn. What fails there costs that connection only."""
    try:
        inflow.turn()
    except Exception as error:  # noqa: BLE001 -- the edge: one broken request must not end the others
        _log.crash("request_failed", error)
        inflow.close()
