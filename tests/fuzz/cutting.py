"""What targets take from their bytes besides the input itself: where to cut it."""

from __future__ import annotations


def cut(data: bytes) -> tuple[list[bytes], bytes]:
    """The first byte says how long the pieces of the rest are; gives these, and the rest as a whole."""
    size, whole = 1 + data[0] % 32 if data else 1, data[1:]
    return [whole[start : start + size] for start in range(0, len(whole), size)], whole
