"""When the lists of one running server are read anew, while it lives. Must not know how they are read, or who wants them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from gateway import limits
from gateway.errors import GatewayError
from gateway.mcp.listing import ServerLists


class Took(Protocol):
    """Takes lists that were read."""

    def __call__(self, lists: ServerLists, *, announced: bool) -> None:
        """`announced`: because the server had said that they changed."""


class Relisting:
    """The wish for a server's lists; several are one.

    Args:
        took: takes lists that were read.
        failed: takes why they could not be read.
    """

    def __init__(
        self,
        *,
        took: Took,
        failed: Callable[[GatewayError], None],
    ) -> None:
        self.underway = False
        """Lists are being read, or about to be."""
        self.done_once = False
        """They were read since the server started: one look for drift is enough."""
        self._took = took
        self._failed = failed
        self._wanted = trio.Event()
        self._announced = False

    def want(self) -> None:
        """Has them read soon."""
        self.underway = True
        self._wanted.set()

    def announce(self) -> None:
        """The server says that they have changed: they are read soon."""
        self._announced = True
        self.want()

    async def run(self, read: Callable[[], Awaitable[ServerLists]]) -> None:
        """Reads them whenever asked, until cancelled.

        A server that keeps announcing changes is read ever more seldom: each change costs every client.
        """
        pause_s = limits.RELIST_PAUSE_S
        while True:
            with trio.move_on_after(limits.RELIST_PAUSE_CAP_S) as quiet:
                await self._wanted.wait()
            if quiet.cancelled_caught:
                pause_s = limits.RELIST_PAUSE_S
                await self._wanted.wait()
            self._wanted = trio.Event()
            announced, self._announced = self._announced, False
            try:
                lists = await read()
            except GatewayError as error:
                self._failed(error)
            else:
                self.done_once = True
                self._took(lists, announced=announced)
            self.underway = False
            if announced:
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, limits.RELIST_PAUSE_CAP_S)
