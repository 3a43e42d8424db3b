"""Reads and writes of pipes and sockets that do not make the loop turn without need. Must not know what passes through.

trio's own streams begin each operation with a checkpoint, and each read with an attempt that mostly fails: that is two
turns of the loop and a system call for every message of a call. Whoever uses these has non-blocking descriptors, and
yields elsewhere.
"""

from __future__ import annotations

import os

import trio


async def read(descriptor: int, max_bytes: int) -> bytes:
    """The next bytes, b"" at the end. Waits before it looks: who asks has just taken what there was.

    Cancellation: nothing is lost.

    Raises:
        trio.BrokenResourceError: the other side is gone.
        trio.ClosedResourceError: the descriptor was closed here.
    """
    while True:
        _check_open(descriptor)
        await trio.lowlevel.wait_readable(descriptor)
        try:
            return os.read(descriptor, max_bytes)
        except BlockingIOError:
            continue
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error


def write_nowait(descriptor: int, content: bytes | memoryview) -> int:
    """Writes as much as goes without waiting, and gives the number of bytes; 0 where none do.

    Raises:
        trio.BrokenResourceError: nobody reads any more.
    """
    try:
        return os.write(descriptor, content)
    except BlockingIOError:
        return 0
    except OSError as error:
        raise trio.BrokenResourceError(str(error)) from error


async def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Writes all of it, waiting wherever nothing goes.

    Cancellation: a part may have been written.

    Raises:
        trio.BrokenResourceError: nobody reads any more.
        trio.ClosedResourceError: the descriptor was closed here.
    """
    view = memoryview(content)
    while view := view[write_nowait(descriptor, view) :]:
        _check_open(descriptor)
        await trio.lowlevel.wait_writable(descriptor)


def _check_open(descriptor: int) -> None:
    """Closed sockets and streams say -1, which trio knows not to wait for."""
    if descriptor < 0:
        raise trio.ClosedResourceError("this was closed here")


def read_nowait(descriptor: int, max_bytes: int) -> bytes | None:
    """What is there of the next bytes; b"" at the end, however it came; None where there is nothing yet."""
    try:
        return os.read(descriptor, max_bytes)
    except BlockingIOError:
        return None
    except OSError:
        return b""
