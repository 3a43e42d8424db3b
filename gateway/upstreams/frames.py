"""From a server's frames to messages: batches unpacked, text repaired, rubbish reported. No I/O.

Servers print logs on stdout, pretty-print, or send half a surrogate pair. None of it may reach a client, and none may end
the connection.
"""

from __future__ import annotations

import msgspec

from gateway.errors import Malformed
from gateway.jsonrpc.codec import decode, repair_surrogates
from gateway.jsonrpc.messages import Message
from gateway.telemetry.log import get_logger

_log = get_logger("upstream")
_batch = msgspec.json.Decoder(list[msgspec.Raw])
_SHOWN_BYTES = 200


class Frames:
    """Decodes the frames of one server. `server` names it in the log."""

    def __init__(self, server: str) -> None:
        self._server = server
        # One warning per connection: a server that logs to stdout does it with every call.
        self._warned = False

    def unpack(self, frame: bytes) -> list[Message]:
        """The messages in a frame: one, those of a batch (revision 2025-03-26), or none where it is rubbish."""
        frame = repair_surrogates(frame)
        if frame.lstrip()[:1] == b"[":
            return self._unpack_batch(frame)
        try:
            return [decode(frame)]
        except Malformed as error:
            self.report(frame, error)
            return []

    def report(self, frame: bytes, error: Malformed) -> None:
        """Logs a frame that is not a message: the first as a warning, all at DEBUG."""
        if not self._warned:
            self._warned = True
            _log.warning("upstream_rubbish", server=self._server, reason=str(error))
        _log.debug(
            "upstream_line", server=self._server, line=frame[:_SHOWN_BYTES].decode(errors="replace")
        )

    def _unpack_batch(self, frame: bytes) -> list[Message]:
        try:
            elements = _batch.decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.report(frame, Malformed(f"not JSON: {error}", code=-32700))
            return []
        messages: list[Message] = []
        for element in elements:
            try:
                messages.append(decode(bytes(element)))
            except Malformed as error:
                self.report(bytes(element), error)
        return messages
