"""The answer of one POST in the making. Decides between a JSON answer and an event stream; does no I/O.

Must not know what kind of stream it is: one that a client may come back to, or one that dies with its connection.

Source: MCP 2025-11-25, transports, "Sending Messages to the Server", 5 and 6; MCP 2026-07-28, transports, "Streamable
HTTP".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import trio

from gateway.ports import Outlet
from gateway.transports.backlog import Backlog


class Exchange:
    """The outlet of one POSTed request.

    It stays "open" until its first frame: an answer makes it "plain" (one JSON body), anything before the answer makes
    it a "stream". A client that accepts no event stream only ever gets the answer.

    Args:
        open_stream: makes the stream's outlet, and what its writer reads, once there has to be a stream.
        accepts_json: whether the client takes a JSON answer.
        accepts_events: whether it takes a stream.
    """

    def __init__(
        self,
        open_stream: Callable[[], tuple[Outlet, Backlog]],
        *,
        accepts_json: bool,
        accepts_events: bool,
    ) -> None:
        self.mode: Literal["open", "plain", "stream"] = "open"
        self.answer: bytes | None = None
        """The plain answer; None where there will be none."""
        self.events: Backlog | None = None
        """What the stream's writer reads; None while this is no stream."""
        self._open_stream = open_stream
        self._stream: Outlet | None = None
        """Where frames go once this is a stream."""
        self._accepts_events = accepts_events
        self._waiting: trio.CancelScope | None = None
        """Where its writer waits for the first frame."""
        if not accepts_json:
            self.stream()

    def __repr__(self) -> str:
        """Its mode."""
        return f"<Exchange {self.mode}>"

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Takes a message that comes before the answer."""
        if self.stream() and self._stream is not None:
            self._stream.send(frame, skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """Takes the answer."""
        if self._stream is not None:
            self._stream.finish(frame)
        elif self.mode == "open":
            self.mode = "plain"
            self.answer = frame
            self._wake()

    def stream(self) -> bool:
        """Makes it a stream, unless the client accepts none or the plain answer is there; says whether it is one."""
        if self.mode == "open" and self._accepts_events:
            self.mode = "stream"
            self._stream, self.events = self._open_stream()
            self._wake()
        return self.mode == "stream"

    async def first_frame_or(self, elsewhere: Callable[[], Awaitable[None]]) -> bool:
        """Waits in `elsewhere` until it is decided what this becomes; says whether that is so.

        What else its writer has to wait for needs no task of its own that way: a nursery costs more than the call.
        """
        if self.mode == "open":
            with trio.CancelScope() as self._waiting:
                await elsewhere()
            self._waiting = None
        return self.mode != "open"

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
