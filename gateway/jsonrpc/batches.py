"""Batches: several messages as one JSON array, cut apart and put together. They exist in MCP 2025-03-26 only.

Source: JSON-RPC 2.0 §6; MCP 2025-03-26, base protocol, "Batching".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.errors import Malformed
from gateway.jsonrpc.codec import decode
from gateway.jsonrpc.messages import Message
from gateway.telemetry.refusals import refused

_WHITE_SPACE: Final = b" \t\r\n"
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def is_batch(frame: bytes) -> bool:
    """Whether the frame is an array, well-formed or not."""
    return frame[:1] == b"[" or frame.lstrip(_WHITE_SPACE)[:1] == b"["


def split(frame: bytes, *, max_bytes: int, max_messages: int) -> list[Message | Malformed]:
    """The messages of a batch, with faults in the place of those that are none.

    Raises:
        Malformed: not JSON (-32700), an empty array, or more than the limits allow (-32600).
    """
    if len(frame) > max_bytes:
        refused("from_clients.MAX_BATCH_BYTES")
        raise Malformed(f"a batch has at most {max_bytes} bytes: send its messages one by one")
    try:
        items = _decode_items(frame)
    except (msgspec.DecodeError, RecursionError):
        return [
            decode(frame)
        ]  # which raises: no array is a message, and its error says what is wrong
    if not items:
        raise Malformed("Not a JSON-RPC message: a batch holds at least one.")
    if len(items) > max_messages:
        refused("from_clients.MAX_BATCH_MESSAGES")
        raise Malformed(
            f"a batch has at most {max_messages} messages, this one {len(items)}: send several"
        )
    return [_item(bytes(item)) for item in items]


def join(frames: Sequence[bytes]) -> bytes:
    """One batch of several messages. Each is one line, and so is the batch."""
    return b"[" + b",".join(frames) + b"]"


def _item(frame: bytes) -> Message | Malformed:
    try:
        return decode(frame)
    except Malformed as fault:
        return fault
