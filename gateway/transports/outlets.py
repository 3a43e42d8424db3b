"""The outlets of a stream that carries all messages of one client: stdio, and the event stream of the SSE transport.

Requests and the session itself write to the same stream but end differently: the answer of a request ends that
exchange only, while the session's own outlet, when it finishes, ends the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.transports.backlog import Backlog

Framing = Callable[[bytes], bytes]
"""Turns a frame into what goes on the wire: a line, or an event."""


class Answers:
    """The outlet of every request of the stream. A request without an answer leaves no trace on it."""

    def __init__(self, backlog: Backlog, framing: Framing) -> None:
        self._backlog = backlog
        self._framing = framing

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Queues a message that comes before the answer."""
        self._backlog.push(self._framing(frame), skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """Queues the answer."""
        if frame is not None:
            self._backlog.push(self._framing(frame))


class Standing:
    """The outlet of what belongs to no request. Finishing it ends the stream: the session is over."""

    def __init__(self, backlog: Backlog, framing: Framing) -> None:
        self._backlog = backlog
        self._framing = framing

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Queues a message."""
        self._backlog.push(self._framing(frame), skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """Queues a last message, if there is one, and ends the stream."""
        if frame is not None:
            self._backlog.push(self._framing(frame))
        self._backlog.close()


class Nowhere:
    """The outlet of messages that are owed no answer."""

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Drops the frame: nothing may come before no answer."""

    def finish(self, frame: bytes | None) -> None:
        """Drops the frame."""


NOWHERE: Final = Nowhere()
"""It has no state: one is enough."""
