"""Reading and writing without turns of the loop that nobody needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio
import trio.testing

from gateway import nonblocking

MUCH = b"x" * 1_000_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that blocks nobody."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):
            os.close(descriptor)


async def test_a_read_waits_for_bytes(pipe: tuple[int, int], nursery: trio.Nursery) -> None:
    """And gives b"" at the end."""
    reading, writing = pipe
    seen: list[bytes] = []

    async def read() -> None:
        seen.append(await nonblocking.read(reading, 100))
        seen.append(await nonblocking.read(reading, 100))

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    assert nonblocking.write_nowait(writing, b"late") == 4
    await trio.testing.wait_all_tasks_blocked()
    os.close(writing)
    await trio.testing.wait_all_tasks_blocked()
    assert seen == [b"late", b""]


async def test_a_full_pipe_takes_nothing_more_at_once(pipe: tuple[int, int]) -> None:
    """What went is in it."""
    reading, writing = pipe
    taken = nonblocking.write_nowait(writing, MUCH)
    assert 0 < taken < len(MUCH)
    assert nonblocking.write_nowait(writing, b"y") == 0
    assert os.read(reading, 2 * len(MUCH)) == MUCH[:taken]


async def test_all_of_it_goes_in_the_end(pipe: tuple[int, int], nursery: trio.Nursery) -> None:
    """However often it must be waited."""
    reading, writing = pipe

    async def write() -> None:
        await nonblocking.write_all(writing, memoryview(MUCH))
        os.close(writing)

    nursery.start_soon(write)
    size = 0
    while chunk := await nonblocking.read(reading, 50_000):
        size += len(chunk)
    assert size == len(MUCH)


async def test_a_reader_that_is_gone_is_an_error_of_trios_kind(pipe: tuple[int, int]) -> None:
    """Also where the descriptor is closed already."""
    reading, writing = pipe
    os.close(reading)
    with pytest.raises(trio.BrokenResourceError):
        nonblocking.write_nowait(writing, b"x")
    with pytest.raises(trio.BrokenResourceError):
        nonblocking.write_nowait(-1, b"x")


async def test_what_was_closed_cannot_be_read() -> None:
    """Sockets say -1 then."""
    with pytest.raises(trio.ClosedResourceError):
        await nonblocking.read(-1, 10)


async def test_what_is_there_is_had_without_waiting(pipe: tuple[int, int]) -> None:
    """Nothing yet is not the end; a descriptor that is closed here is."""
    reading, writing = pipe
    assert nonblocking.read_nowait(reading, 10) is None
    os.write(writing, b"now")
    assert nonblocking.read_nowait(reading, 10) == b"now"
    os.close(writing)
    assert nonblocking.read_nowait(reading, 10) == b""
    assert nonblocking.read_nowait(-1, 10) == b""
