"""From a server's frames to messages: batches unpacked, text repaired, rubbish reported. No I/O.

Servers print logs on stdout, pretty-print, or send half a surrogate pair. None of it may reach a client, and none may end
the connection.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway import limits
from gateway.errors import Malformed, TooDeep
from gateway.jsonrpc.codec import INTERNAL_ERROR, decode, repair_surrogates
from gateway.jsonrpc.edges import Edges
from gateway.jsonrpc.messages import Failure, Illegible, Message
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

_log = get_logger("upstream")


class _Element(msgspec.Struct, gc=False):
    """What every message has."""

    jsonrpc: Literal["2.0"]


TOO_LONG: Final = f"it is longer than {limits.MAX_FRAME_BYTES // limits.MIB} MiB"
"""Why a frame that was skipped cannot be read."""
_TOO_DEEP: Final = "it is nested too deeply"
_batch = msgspec.json.Decoder(list[msgspec.Raw])
_strict_batch = msgspec.json.Decoder(list[_Element])
_SHOWN_BYTES = 200
_OBJECT = b"{"
_END = b"}"
_METHOD = b'"method"'


class Frames:
    """Decodes the frames of one server. `server` names it in the log."""

    def __init__(self, server: str) -> None:
        self._server = server
        # One warning per connection: a server that logs to stdout does it with every call.
        self._warned = False

    def unpack(self, frame: bytes) -> list[Message]:
        """The messages in a frame: one, those of a batch (revision 2025-03-26), or none where it is rubbish."""
        if not frame.startswith(_OBJECT) and frame.lstrip()[:1] == b"[":
            return self._unpack_batch(repair_surrogates(frame))
        try:
            return [self._decode(frame)]
        except TooDeep as error:
            self.report(frame, error)
            return self.in_the_place_of(Edges.of(frame), _TOO_DEEP)
        except Malformed as error:
            self.report(frame, error)
            return self._in_the_place_of(frame, error)

    def in_the_place_of(self, edges: Edges, reason: str) -> list[Message]:
        """A failure in the place of a frame that cannot be read, if that was an answer: with its id, where it is certain."""
        text = f"server {self._server!r} sent an answer that cannot be read: {reason}"
        if (answered := edges.answered) is not None:
            return [Failure(answered, INTERNAL_ERROR, text)]
        return [Illegible(None, INTERNAL_ERROR, text)] if edges.may_answer else []

    def report(self, frame: bytes, error: Malformed) -> None:
        """Logs a frame that is not a message: the first as a warning, all at DEBUG."""
        if not self._warned:
            self._warned = True
            _log.warning("upstream_rubbish", server=self._server, reason=str(error))
        _log.debug(
            "upstream_line", server=self._server, line=frame[:_SHOWN_BYTES].decode(errors="replace")
        )

    def _decode(self, frame: bytes) -> Message:
        """The message in a frame. Only one that is refused is searched for what can be mended: that takes long."""
        try:
            return decode(frame)
        except Malformed:
            repaired = repair_surrogates(frame)
            if repaired is frame:
                raise
            return decode(repaired)

    def _in_the_place_of(self, frame: bytes, error: Malformed) -> list[Message]:
        """A failure, where rubbish was to be the answer to a request: whoever waits for it learns of that at once.

        A frame with a method is a request of the server's own, under one of its own ids.
        """
        answered = error.request_id
        if answered is not None:
            answered = None if _METHOD in frame else answered
        elif frame.rstrip().endswith(_END):
            # Broken inside, as by a byte that is no UTF-8. One that breaks off is the server's last, whose end says more.
            answered = Edges.of(frame).answered
        text = f"server {self._server!r} sent an answer that is none: {error}"
        return [] if answered is None else [Failure(answered, INTERNAL_ERROR, text)]

    def _unpack_batch(self, frame: bytes) -> list[Message]:
        try:
            elements = _elements(frame)
        except RecursionError:
            self.report(frame, TooDeep(f"a batch cannot be read: {_TOO_DEEP}", code=-32700))
            return self.in_the_place_of(Edges.of(frame), _TOO_DEEP)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.report(frame, Malformed(f"not JSON: {error}", code=-32700))
            return []
        if len(elements) > limits.MAX_UPSTREAM_BATCH_MESSAGES:
            refused("from_servers.MAX_UPSTREAM_BATCH_MESSAGES")
            reason = f"a batch of more than {limits.MAX_UPSTREAM_BATCH_MESSAGES} messages"
            self.report(frame, Malformed(reason))
            return []
        messages: list[Message] = []
        for element in elements:
            try:
                messages.append(decode(bytes(element)))
            except Malformed as error:
                self.report(bytes(element), error)
        return messages


def _elements(frame: bytes) -> list[msgspec.Raw]:
    """The elements of a batch. A long one is looked at first: what is not made of messages would fall into millions.

    Raises:
        DecodeError, UnicodeDecodeError, RecursionError: it is no JSON, or a long batch holds something else.
    """
    if len(frame) > limits.MAX_NARROW_BYTES:
        _strict_batch.decode(frame)
    return _batch.decode(frame)
