"""The answer of one POST in the making. Decides between a JSON answer and an event stream; does no I/O.

Must not know what kind of stream it is: one that a client may come back to, or one that dies with its connection.

Source: MCP 2025-11-25, transports, "Sending Messages to the Server", 5 and 6; MCP 2026-07-28, transports, "Streamable
HTTP".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, Literal

import trio

from gateway.ports import Outlet
from gateway.transports.backlog import Backlog
from gateway.transports.http import JSON, Accepted, Headers, Reply

ACCEPTED: Final = Reply(202)
_OK: Final = 200


class Exchange(ABC):
    """The outlet of one POSTed request.

    It stays "open" until its first frame: an answer makes it "plain" (one JSON body), anything before the answer makes
    it a "stream". A client that accepts no event stream only ever gets the answer.

    Whoever carries it watches it; has it become a stream once `patience_s` are over, for proxies cut what is silent;
    sends what it became; and says when its client has left.

    Args:
        accepted: the forms of an answer that the client takes.
        patience_s: how long it may stay open.
    """

    survives: ClassVar[bool]
    """Whether it goes on without its client, which may have ended its own direction only."""

    def __init__(self, accepted: Accepted, *, patience_s: float) -> None:
        self.mode: Literal["open", "plain", "stream"] = "open"
        self.answer: bytes | None = None
        """The plain answer; None where there will be none."""
        self.events: Backlog | None = None
        """What the stream's writer reads; None while this is no stream."""
        self.patience_s = patience_s
        self._stream: Outlet | None = None
        """Where frames go once this is a stream."""
        self._accepts_events = accepted.events
        self._decided: Callable[[], object] | None = None
        """Told once what this becomes."""
        if not accepted.json:
            self.stream()

    def __repr__(self) -> str:
        """Its mode."""
        return f"<Exchange {self.mode}>"

    # --- the session's side ------------------------------------------------------------------------------------

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
            self._tell()

    # --- the carrier's side ------------------------------------------------------------------------------------

    def stream(self) -> bool:
        """Makes it a stream, unless the client accepts none or the plain answer is there; says whether it is one."""
        if self.mode == "open" and self._accepts_events:
            self.mode = "stream"
            self._stream, self.events = self._open_stream()
            self._tell()
        return self.mode == "stream"

    def watch(self, decided: Callable[[], object]) -> None:
        """Has `decided` called once, from within `send` or `finish`, when this is no longer open; now if it is not."""
        if self.mode == "open":
            self._decided = decided
        else:
            decided()

    async def decided_or(self, elsewhere: Callable[[], Awaitable[None]]) -> bool:
        """Waits in `elsewhere` until it is decided what this becomes; says whether that is so.

        What else its carrier has to wait for needs no task of its own that way: a nursery costs more than the call.
        """
        if self.mode == "open":
            with trio.CancelScope() as waiting:
                self._decided = waiting.cancel
                await elsewhere()
            self._decided = None
        return self.mode != "open"

    def reply(self) -> Reply:
        """The plain answer as HTTP; a request without an answer has to end somehow."""
        if self.answer is None:
            return ACCEPTED
        return Reply(self._status(self.answer), self.answer, JSON, self.headers())

    def headers(self) -> Headers:
        """Headers of the answer, whatever it is."""
        return ()

    def left(self) -> None:
        """The client is gone, or has its answer. Idempotent."""
        self._decided = None
        if self.events is not None:
            self.events.drop()

    # --- what its revision says --------------------------------------------------------------------------------

    @abstractmethod
    def _open_stream(self) -> tuple[Outlet, Backlog]:
        """The outlet of the stream, and what its writer reads."""

    def _status(self, answer: bytes) -> int:  # noqa: ARG002 -- revisions differ
        """The HTTP status of an answer."""
        return _OK

    def _tell(self) -> None:
        decided, self._decided = self._decided, None
        if decided is not None:
            decided()
