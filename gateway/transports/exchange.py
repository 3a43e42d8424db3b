"""The answer of one POST in the making. Decides between a JSON answer and an event stream; does no I/O.

Source: MCP 2025-11-25, transports, "Sending Messages to the Server", 5 and 6. In these revisions a client that
disconnects has not cancelled: the exchange goes on, its frames go nowhere.
"""

from __future__ import annotations

from typing import Literal

from gateway.jsonrpc.sse import encode_event
from gateway.transports.backlog import Backlog


class Exchange:
    """The outlet of one POSTed request.

    It stays "open" until its first frame: an answer makes it "plain" (one JSON body), anything before the answer makes
    it a "stream". A client that accepts no event stream only ever gets the answer.
    """

    def __init__(self, *, accepts_json: bool, accepts_events: bool) -> None:
        self.mode: Literal["open", "plain", "stream"] = "open" if accepts_json else "stream"
        self.answer: bytes | None = None
        """The plain answer; None where there will be none."""
        self.backlog = Backlog()
        """The events of the stream; closed once the answer is there, in either mode."""
        self._accepts_events = accepts_events

    def __repr__(self) -> str:
        """Its mode and what waits."""
        return f"<Exchange {self.mode}, {self.backlog!r}>"

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Queues a message that comes before the answer."""
        if self.stream():
            self.backlog.push(encode_event(frame), skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """Takes the answer."""
        if self.backlog.closed:
            return
        if self.mode == "stream":
            if frame is not None:
                self.backlog.push(encode_event(frame))
        else:
            self.mode = "plain"
            self.answer = frame
        self.backlog.close()

    def stream(self) -> bool:
        """Makes it a stream, unless the client accepts none or the plain answer is there; says whether it is one."""
        if self.mode == "open" and self._accepts_events:
            self.mode = "stream"
        return self.mode == "stream"
