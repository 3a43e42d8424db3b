"""What targets take from their bytes besides the input itself: where to cut it."""

from __future__ import annotations


def cut(data: bytes) -> tuple[list[bytes], bytes]:
    """The first byte says how long the pieces of the rest are; gives these, and the rest as a whole.

    There are no more than 64 of them: many small ones take most of the time, and tell no more.
    """
    whole = data[1:]
    size = max(1 + data[0] % 32 if data else 1, -(-len(whole) // 64))
    return [whole[start : start + size] for start in range(0, len(whole), size)], whole
