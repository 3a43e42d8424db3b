"""Requests of one session that wait until the servers' lists are known. Must not know what they are for."""

from __future__ import annotations

from collections.abc import Callable, Collection

import trio

from actors.house import House
from gateway.errors import ActorGone, GatewayError
from gateway.jsonrpc.messages import Id, Request
from gateway.ports import Outlet

ENDED = "the session ended before the server answered"

Refuse = Callable[[Id, Outlet, GatewayError], None]
"""Sends an error to the client."""


class Waits:
    """Those that wait.

    Args:
        house: where the lists come from.
        refuse: how a request is refused.
    """

    def __init__(self, house: House, refuse: Refuse) -> None:
        self._house = house
        self._refuse = refuse
        self.waiting: dict[Id, _Wait] = {}
        """They by their ids."""

    @property
    def methods(self) -> Collection[str]:
        """The methods of those that wait."""
        return {wait.method for wait in self.waiting.values()}

    def add(
        self,
        request: Request,
        outlet: Outlet,
        act: Callable[[], None],
        *,
        within_s: float,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Acts once all lists, or `enough` of them, are known, or cannot be waited for any longer.

        Raises:
            Overloaded: nothing can wait at the moment.
        """
        wait = _Wait(request.method)

        async def wait_and_act() -> None:
            is_over = False
            try:
                with wait.scope, trio.move_on_after(within_s):
                    await self._house.listings.wait_complete(within_s, enough=enough)
                # Also where it was ended in the very moment in which it was over.
                is_over = not wait.scope.cancel_called
            finally:
                del self.waiting[request.id]
                self._house.request_ended()
                if wait.withdrawn:
                    outlet.finish(None)
                elif not is_over:
                    # All such waits end so where their actor crashes, or stops: whoever waits learns of it.
                    self._refuse(request.id, outlet, ActorGone(ENDED))
            if not is_over:
                return
            try:
                act()
            except GatewayError as error:
                self._refuse(request.id, outlet, error)

        self._house.spawn(wait_and_act)
        self.waiting[request.id] = wait

    def cancel(self, request_id: Id) -> bool:
        """The client no longer wants an answer; whether there was such a wait."""
        wait = self.waiting.get(request_id)
        if wait is None:
            return False
        wait.withdrawn = True
        wait.scope.cancel()
        return True

    def end(self) -> None:
        """Ends all of them; each is told that its session has ended."""
        for wait in list(self.waiting.values()):
            wait.scope.cancel()


class _Wait:
    def __init__(self, method: str) -> None:
        self.method = method
        self.scope = trio.CancelScope()
        """Ends the wait."""
        self.withdrawn = False
        """Its client wants no answer any more; otherwise it is owed one, however the wait ends."""
