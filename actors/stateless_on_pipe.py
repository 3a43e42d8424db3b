"""Requests of the modern era on one pipe: what on HTTP a connection tells, a session keeps here. Must not know pipes.

Source: MCP 2026-07-28, transports, "stdio".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.house import House
from gateway.jsonrpc.messages import Id, Request
from gateway.ports import ClientSession, Outlet


class StatelessOnPipe:
    """The unanswered ones.

    Args:
        session: the pipe's.
        transport: its name.
        house: what serves them.
    """

    def __init__(self, session: ClientSession, *, transport: str, house: House) -> None:
        self._session = session
        self._transport = transport
        self._house = house
        self.waiting: dict[Id, Callable[[], None]] = {}
        """What cancels each, by its id."""

    def serve(self, request: Request, outlet: Outlet) -> None:
        """Serves one.

        Raises:
            GatewayError: it is refused; nothing arrives at `outlet`.
        """
        self.waiting[request.id] = _nothing
        exchange = _Exchange(outlet, partial(self.waiting.pop, request.id, None))
        cancel = self._house.serve_stateless(
            request,
            principal=self._session.principal,
            transport=self._transport,
            outlet=exchange,
        )
        if request.id in self.waiting:
            self.waiting[request.id] = cancel

    def cancel(self, request_id: Id) -> bool:
        """The client no longer wants an answer; whether it was owed one."""
        cancel = self.waiting.pop(request_id, None)
        if cancel is None:
            return False
        cancel()
        return True

    def end(self) -> None:
        """Cancels all of them."""
        for cancel in list(self.waiting.values()):
            cancel()


class _Exchange:
    """The outlet of one: has the request forgotten once it is answered."""

    def __init__(self, outlet: Outlet, forget: Callable[[], object]) -> None:
        self._outlet = outlet
        self._forget = forget

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """A message before the answer."""
        self._outlet.send(frame, skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """The answer."""
        self._forget()
        self._outlet.finish(frame)


def _nothing() -> None:
    """Cancels what has not begun."""
