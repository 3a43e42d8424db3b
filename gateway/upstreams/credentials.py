"""The headers of one remote entry, which hold its secrets: as they were last looked up, shared by all connections to its server.

Must not know where secrets come from, nor what refused them.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

import trio

from gateway import limits

LookUp = Callable[[], Awaitable[Mapping[str, str] | None]]
"""Fills the entry's headers once more; None where they cannot be had. Raises nothing but cancellation."""


class Credentials:
    """What is sent along with each request.

    Args:
        headers: as they were when the server was configured. Secret: never shown.
        look_up: how they are looked up again; None where they can never be others.
    """

    def __init__(self, headers: Mapping[str, str], look_up: LookUp | None = None) -> None:
        self.headers = headers
        self.version = 0
        """Grows whenever they were looked up, whether or not others were found."""
        self._look_up = look_up
        # Not before then are they looked up again, on trio's clock.
        self._due = -math.inf
        # Requests that are refused at the same time share one look.
        self._turn = trio.Lock()

    def __repr__(self) -> str:
        """The names of the headers, and nothing of their values."""
        return f"<Credentials {', '.join(self.headers)} version={self.version}>"

    async def renew(self, refused: int) -> bool:
        """Looks them up, because a server refused those of that version; True where a request may be tried once more.

        Somebody may have rotated the secret; and a server may refuse what it took before, and takes again, once.

        Cancellation: nothing is changed.
        """
        async with self._turn:
            if self.version != refused:
                return True
            if self._look_up is None or trio.current_time() < self._due:
                return False
            found = await self._look_up()
            self._due = trio.current_time() + limits.CREDENTIALS_PAUSE_S
            self.version += 1
            if found is not None:
                self.headers = found
            return True
