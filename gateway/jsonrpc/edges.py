"""What the two ends of a frame tell that cannot be read as a whole: whether it is an answer, and whose. Pure.

A frame that is too long was not kept, and one that is nested too deeply is given up by every reader; but somebody waits
for it. Whoever writes an answer puts its id before the result or after it, and nothing but the id decides here: what is
not certain is said to be so.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from gateway.jsonrpc.messages import Id
from gateway.limits import FRAME_EDGE_BYTES

_VERSION: Final = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID: Final = rb'"id"\s*:\s*([0-9]{1,15}|"[\w.:-]{1,64}")'
_PAYLOAD: Final = rb'"(?:result|error)"\s*:'

_ID_FIRST: Final = re.compile(
    rb"\s*\{\s*(?:%b\s*,\s*)?%b\s*,\s*(?:%b\s*,\s*)?%b" % (_VERSION, _ID, _VERSION, _PAYLOAD)
)
_PAYLOAD_FIRST: Final = re.compile(rb"\s*\{\s*(?:%b\s*,\s*)?%b" % (_VERSION, _PAYLOAD))
_ID_LAST: Final = re.compile(
    rb",\s*(?:%b\s*,\s*)?%b\s*(?:,\s*%b\s*)?\}\s*\Z" % (_VERSION, _ID, _VERSION)
)
_METHOD_FIRST: Final = re.compile(rb'\s*\{\s*(?:(?:%b|%b)\s*,\s*)*"method"\s*:' % (_VERSION, _ID))
_MESSAGE: Final = re.compile(rb'\s*(?:\{\s*"|\[\s*\{)')
"""How a message begins, or a batch of them."""


class Edges(NamedTuple):
    """The first and the last bytes of a frame, `FRAME_EDGE_BYTES` of each."""

    begin: bytes
    end: bytes

    @classmethod
    def of(cls, frame: bytes | bytearray) -> Edges:
        """Those of a frame."""
        return cls(bytes(frame[:FRAME_EDGE_BYTES]), bytes(frame[-FRAME_EDGE_BYTES:]))

    def extended(self, more: bytes) -> Edges:
        """Those of the frame of which more has come."""
        begin = self.begin
        if len(begin) < FRAME_EDGE_BYTES:
            begin = (begin + more[:FRAME_EDGE_BYTES])[:FRAME_EDGE_BYTES]
        return Edges(begin, (self.end + more[-FRAME_EDGE_BYTES:])[-FRAME_EDGE_BYTES:])

    @property
    def answered(self) -> Id | None:
        """The id of the request that the frame answers; None where it answers none, or does not tell."""
        found = _ID_FIRST.match(self.begin)
        if found is None and _PAYLOAD_FIRST.match(self.begin):
            # The frame's last brace closes the first one: what stands right before it is the answer's own.
            found = _ID_LAST.search(self.end)
        number: Id | None = None if found is None else msgspec.json.decode(found[1], type=Id)
        return number

    @property
    def may_answer(self) -> bool:
        """Whether the frame may be an answer: it begins as a message does, and not as a request or notification."""
        return bool(_MESSAGE.match(self.begin)) and not _METHOD_FIRST.match(self.begin)
