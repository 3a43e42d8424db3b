"""One client on one connection that carries frames both ways: stdio, WebSocket. Must not know how frames travel.

It is the outlet of its client's requests, and so knows when none is owed an answer.
"""

from __future__ import annotations

import trio

from gateway.errors import Malformed
from gateway.jsonrpc.codec import encode, failure
from gateway.ports import ClientSession
from gateway.telemetry.refusals import refused
from gateway.transports import incoming
from gateway.transports.backlog import Backlog, WriteNow
from gateway.transports.outlets import Framing, Standing


class Conversation:
    """A session and what waits for its client. What comes in goes to the session at once.

    Args:
        session: whose client this is.
        framing: how a frame is written.
        write_now: see `Backlog`.
    """

    def __init__(
        self, session: ClientSession, framing: Framing, *, write_now: WriteNow | None = None
    ) -> None:
        self.backlog = Backlog(write_now=write_now)
        """What is to be written; closed when the session ends."""
        self._session = session
        self._framing = framing
        self._owed = 0
        self._settled = trio.Event()
        session.attach(Standing(self.backlog, framing))

    def take(self, frame: bytes | Malformed) -> None:
        """Hands a frame to the session. What is no message is answered and passed over."""
        self.backlog.heard()
        try:
            if isinstance(frame, Malformed):
                # There is one fault that comes in the place of a frame.
                refused("from_clients.MAX_FRAME_BYTES")
                raise frame
            came = incoming.read(frame, self._session)
        except Malformed as fault:
            self.send(encode(failure(fault)))
            return
        self._owed += incoming.is_owed(came)
        incoming.hand_over(came, self._session, self)

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Queues a message that comes before an answer."""
        self.backlog.push(self._framing(frame), skippable=skippable)

    def finish(self, frame: bytes | None) -> None:
        """Queues the answer of a request, if there is one."""
        if frame is not None:
            self.send(frame)
        self._owed -= 1
        if not self._owed:
            self._settled.set()

    async def wait_settled(self) -> None:
        """Until no request waits for its answer."""
        while self._owed:
            self._settled = trio.Event()
            await self._settled.wait()
