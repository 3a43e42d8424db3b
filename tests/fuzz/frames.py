"""A stream of lines: cut anywhere it gives the same frames, and holds no more than it may."""

from __future__ import annotations

from typing import Final

from gateway.errors import TooLong
from gateway.jsonrpc.edges import Edges
from gateway.jsonrpc.lines import LineSplitter
from tests.fuzz.cutting import cut

_MAX_BYTES: Final = 24
"""Small enough that lines that are too long are common."""


def check(data: bytes) -> None:
    """Compares the pieces with the whole, and with the definition of a line."""
    pieces, whole = cut(data)
    splitter = LineSplitter(_MAX_BYTES)
    found = [item for piece in pieces for item in splitter.feed(piece)]
    edges = [item for item in found if isinstance(item, Edges)]
    *ended, begun = whole.split(b"\n")
    expected: list[bytes | None] = []
    skipped: list[Edges] = []
    for piece in ended:
        line = piece.removesuffix(b"\r")
        if len(line) > _MAX_BYTES:
            expected.append(None)
            skipped.append(Edges.of(piece))
        elif line and not line.isspace():
            expected.append(line)
    is_cut = len(begun) > _MAX_BYTES + begun.endswith(b"\r")
    assert edges == skipped
    lines = [item for item in found if not isinstance(item, Edges)]
    seen = [None if isinstance(item, TooLong) else item for item in lines]
    # What has not ended is refused as soon as it is too long, which a CR may put off.
    assert seen[: len(expected)] == expected
    assert seen[len(expected) :] in ([None], []) if len(begun) > _MAX_BYTES else seen == expected
    if not is_cut and len(seen) == len(expected):
        assert splitter.rest() == begun.removesuffix(b"\r")
