"""The events of one stream: written to whoever reads now, kept for a client that was cut off and reads on.

Must not know HTTP, nor which other streams there are: that is `resumption`'s business.

Source: MCP 2025-11-25, base protocol, transports, "Resumability and Redelivery".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from gateway import limits
from gateway.jsonrpc.sse import encode_event
from gateway.transports.backlog import Backlog

_RETRY_MS: Final = round(limits.RESUME_RETRY_S * 1000)


class EventFeed:
    """An outlet that numbers its events and keeps the newest of them. One client at a time reads it.

    Args:
        name: what its event ids begin with.
        primed: whether who begins to read first gets an event without data, to have an id from the first moment on.
        on_end: told once, when nothing more will come.
    """

    def __init__(
        self, name: str, *, primed: bool, on_end: Callable[[EventFeed], None] | None = None
    ) -> None:
        self.name = name
        self.kept_bytes = 0
        """What it holds for those who read on."""
        self.ended = False
        """Whether nothing more will come."""
        self._primed = primed
        self._on_end = on_end
        self._kept: deque[bytes] = deque()
        self._last = 0
        """The number of the newest event; the first one has 1."""
        self._unread_after: int | None = 0
        """The event since which nobody was sent anything; None while somebody reads."""
        self._reader = Backlog()
        """The events for whoever reads now; closed while nobody does."""
        self._reader.drop()
        self._changed = trio.Event()
        """Set when somebody begins to read, and at the end."""

    def __repr__(self) -> str:
        """Its name, state, and what it keeps."""
        state = "ended" if self.ended else "read" if self.is_read else "unread"
        return f"<EventFeed {self.name} {state}, {len(self._kept)} events, {self.kept_bytes} bytes>"

    @property
    def is_read(self) -> bool:
        """Whether somebody reads; who no longer does closes the backlog it was given."""
        return not self._reader.closed

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Takes the next event."""
        if self.ended:
            return
        self._last += 1
        event = encode_event(frame, id=f"{self.name}-{self._last}")
        self._keep(event)
        if self.is_read:
            self._reader.push(event, skippable=skippable)
        elif self._unread_after is None:
            self._unread_after = self._last - 1

    def finish(self, frame: bytes | None) -> None:
        """Takes the last event, if there is one, and ends. Idempotent."""
        if self.ended:
            return
        if frame is not None:
            self.send(frame)
        self.ended = True
        self._reader.close()
        self._changed.set()
        if self._on_end is not None:
            self._on_end(self)

    def read_on(self, after: int | None = None) -> Backlog:
        """The events after that number as far as they are kept, then those to come. Whoever read before reads no more.

        Args:
            after: None for a client that names none: it gets what came while nobody read.
        """
        reader = Backlog()
        if after is None:
            after = self._last if self._unread_after is None else self._unread_after
            if self._primed:
                reader.push(_priming_event(self.name, after))
        first = self._last - len(self._kept) + 1
        for number, event in enumerate(self._kept, start=first):
            if number > after:
                reader.push(event)
        if self.ended:
            reader.close()
        self._reader.drop()
        self._reader = reader
        self._unread_after = None
        self._changed.set()
        return reader

    async def wait_read(self) -> None:
        """Until somebody reads, or the end."""
        while not (self.is_read or self.ended):
            self._changed = trio.Event()
            await self._changed.wait()

    def _keep(self, event: bytes) -> None:
        """Keeps one event, the newest ones within the limits."""
        self._kept.append(event)
        self.kept_bytes += len(event)
        while len(self._kept) > 1 and (
            len(self._kept) > limits.RESUME_EVENTS or self.kept_bytes > limits.RESUME_BYTES
        ):
            self.kept_bytes -= len(self._kept.popleft())


def _priming_event(name: str, number: int) -> bytes:
    """An id to come back with, and when to come back; no data."""
    return b"id: %b-%d\nretry: %d\ndata: \n\n" % (name.encode("ascii"), number, _RETRY_MS)
