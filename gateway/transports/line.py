"""One client's connection as those see it who serve its requests: what came in, what goes out, how long it may last.

Must not know what is served. There is one request at a time, and one task reads.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from gateway import limits
from gateway.telemetry.refusals import refused
from gateway.transports.body_framing import BodyFraming, framing_of
from gateway.transports.connections import ClientStream
from gateway.transports.deadlines import Deadline
from gateway.transports.head_check import HEAD_END, CheckedHead, check_beginning, check_head
from gateway.transports.http import ClientLeft, Refused, too_long
from gateway.transports.inflow import Taker
from gateway.transports.outflow import Outflow, Stream


class Line:
    """A connection that speaks HTTP/1.1.

    Args:
        stream: the connection; closed by its owner.
        nursery: for what its requests need tasks for; ends with it.
        deadline: this connection's.
    """

    def __init__(self, stream: Stream, nursery: trio.Nursery, deadline: Deadline) -> None:
        self.gone = trio.Event()
        """Set when the client sends nothing more, or takes nothing more: who has sent ahead is not read from meanwhile."""
        self.outflow = Outflow(stream, nursery, gone=self.gone.set)
        self.nursery = nursery
        self.deadline = deadline
        self.held = b""
        """What came and was not used yet."""
        self.ends = False
        """Whether the connection ends with the answer under way."""
        self._stream = stream
        self._busy = False
        """Whether a request is under way."""
        self._known: CheckedHead | None = None
        """The last head: clients that keep a connection send the same one again, but for the length of the body."""

    def __repr__(self) -> str:
        """What is under way."""
        return f"<Line {len(self.held)} bytes held, {self.outflow!r}>"

    def belongs_to(self, client: str) -> None:
        """Says whose it is, where one task reads for all: clients are read from in turn."""
        stream = self._stream
        transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        if isinstance(transport, ClientStream) and transport.inflow is not None:
            transport.inflow.client = client

    # --- reading -----------------------------------------------------------------------------------------------

    async def begun(self, taker: Taker | None = None) -> bool:
        """Waits for the beginning of the next request; False when the client sends no more.

        Meanwhile `taker` may serve what comes without waking who waits here.

        Cancellation: nothing is lost.
        """
        if self.held:
            return True
        stream = self._stream
        inflow = stream.inflow if isinstance(stream, ClientStream) else None
        if inflow is None or taker is None:
            return await self.more()
        inflow.taker = taker
        try:
            return await self.more()
        finally:
            inflow.taker = None

    async def more(self) -> bool:
        """Waits for further bytes; False when the client sends no more.

        Cancellation: nothing is lost.
        """
        if self.gone.is_set():
            return False
        try:
            came = await self._stream.receive_some(limits.READ_CHUNK_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.outflow.cut()
            came = b""
        if not came:
            self.gone.set()
            return False
        self.held = self.held + came if self.held else bytes(came)
        return True

    async def head(self) -> CheckedHead | None:
        """The head of the next request; None where none comes any more.

        Raises:
            Refused: what comes is none.
        """
        begun = False
        while (end := self.held.find(HEAD_END)) < 0:
            if self.held:
                check_beginning(self.held)
                if not begun:
                    begun = True
                    self.deadline.set(limits.HEAD_TIMEOUT_S, self._cut_late)
            if not await self.more():
                return None
        return self._checked(self._take(end + len(HEAD_END)))

    def parted(self, came: bytes) -> tuple[CheckedHead, bytes] | None:
        """A head, and what came after it; None where it is not whole.

        Raises:
            Refused: it is none.
        """
        end = came.find(HEAD_END) + len(HEAD_END)
        return (self._checked(came[:end]), came[end:]) if end >= len(HEAD_END) else None

    def _cut_late(self) -> None:
        """Ends a connection whose request never begins."""
        refused("from_clients.HEAD_TIMEOUT_S")
        self.abort()

    def whole_body(self, head: CheckedHead) -> bytes | None:
        """The body after that head, where all of it is here already and its length known: the usual case."""
        size = head.body_bytes
        return None if size is None or size > len(self.held) else self._take(size)

    async def body(
        self, head: CheckedHead, max_bytes: int, *, stalled: Callable[[], None]
    ) -> bytes:
        """The body after that head.

        Args:
            head: whose body it is.
            max_bytes: longest body.
            stalled: called where nothing of it arrives for `limits.BODY_STALL_S`.

        Raises:
            Refused: it is longer, or no body.
            ClientLeft: the client disconnected in the middle of it.
        """
        framing, pieces, length = framing_of(head), [], 0
        while True:
            content = self.part(framing)
            length += len(content)
            if length > max_bytes:
                refused("from_clients.MAX_FRAME_BYTES")
                raise too_long(max_bytes)
            pieces.append(content)
            if framing.done:
                return b"".join(pieces)
            self.deadline.set(limits.BODY_STALL_S, stalled)
            if not await self.more():
                raise ClientLeft

    async def skip(self, head: CheckedHead) -> None:
        """Throws away the body after that head. All ends where it takes longer than `limits.LINGER_S`, or is no body."""
        framing = framing_of(head)
        self.deadline.set(limits.LINGER_S, self.abort)
        try:
            self.part(framing)
            while not framing.done and await self.more():
                self.part(framing)
        except Refused:
            self.ends = True

    def part(self, framing: BodyFraming) -> bytes:
        """What is held of the content of a body."""
        used, content = framing.feed(self.held)
        self.held = self.held[used:]
        return content

    def raw_part(self, framing: BodyFraming) -> bytes:
        """What is held of a body, as it came."""
        used, _ = framing.feed(self.held)
        return self._take(used)

    # --- lasting -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A request is there."""
        self._busy = True

    def rest(self) -> None:
        """A request is over: the next may take its time, unless the connection ends now."""
        self._busy = False
        if self.ends:
            self.outflow.end()
            self.deadline.set(limits.LINGER_S, self._cut_unused)
        else:
            self.deadline.set(limits.KEEP_ALIVE_S, self._cut_unused)

    def finish(self) -> None:
        """Ends the connection: now, or with the answer under way."""
        self.ends = True
        if not self._busy:
            self._cut_unused()

    def _cut_unused(self) -> None:
        """Ends a connection on which nothing goes on. One whose client still reads its answer is given the time again."""
        if self.outflow.is_clear:
            self.abort()
        else:
            self.rest()

    def abort(self) -> None:
        """Cuts the connection."""
        self.outflow.cut()
        stream = self._stream
        (stream.transport_stream if isinstance(stream, trio.SSLStream) else stream).abort()

    async def linger(self) -> None:
        """Takes in what still comes, until the client has ended or it is time.

        A connection that is closed with unread bytes is reset, and the last answer may be lost.
        """
        self.held = b""
        while await self.more():
            self.held = b""

    def _checked(self, raw: bytes) -> CheckedHead:
        known = self._known
        if known is None or known.raw != raw:
            secure = isinstance(self._stream, trio.SSLStream)
            known = (known and known.with_length_of(raw)) or check_head(raw, secure=secure)
            self._known = known
        return known

    def _take(self, size: int) -> bytes:
        held = self.held
        if size == len(held):
            self.held = b""
            return held
        self.held = held[size:]
        return held[:size]
