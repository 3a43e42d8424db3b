"""gateway/runtimes/link_attach.py: frames in, stdout and stderr out; waiting and not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from gateway.runtimes.link_attach import AttachStream
from tests.unit.gateway.runtimes.test_container_link import World
from tests.unit.gateway.runtimes.test_stdcopy import frame


@pytest.fixture
def sockets() -> Iterator[tuple[AttachStream, socket.socket]]:
    """A stream over a socket as local engines have it, and the engine's end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield AttachStream(trio.SocketStream(trio.socket.from_stdlib_socket(ours))), theirs


async def test_junk_ends_the_stream(nursery: trio.Nursery) -> None:
    """A stream that is no stdcopy is an end with its reason in the tail, not a crash."""
    world = World(nursery)
    world.container.ended.set()
    await world.theirs.send_all(b"plain text, for instance")
    assert await world.link.receive_some() == b""
    assert "broken" in world.link.stderr_tail()
    await world.link.aclose()


async def test_first_bytes_count() -> None:
    """What came along with the upgrade is read first."""
    ours, theirs = trio.testing.memory_stream_pair()
    stream = AttachStream(ours, frame(1, b"first"))
    await theirs.send_all(frame(1, b"second"))
    assert await stream.receive() == (b"first", b"")
    assert await stream.receive() == (b"second", b"")


async def test_what_is_there_is_had_without_waiting(
    sockets: tuple[AttachStream, socket.socket],
) -> None:
    """Nothing where nothing is there; then both streams; then the end, which `aclose` is left to act on."""
    stream, theirs = sockets
    assert stream.receive_nowait() == (b"", b"")
    assert not stream.ended
    theirs.send(frame(1, b"out") + frame(2, b"err"))
    assert stream.receive_nowait() == (b"out", b"err")
    theirs.close()
    assert stream.receive_nowait() == (b"", b"")
    assert stream.ended
    await stream.aclose()
    assert stream.descriptor == -1


async def test_junk_is_an_end_without_waiting_as_well(
    sockets: tuple[AttachStream, socket.socket],
) -> None:
    """What cannot be understood is not read on."""
    stream, theirs = sockets
    theirs.send(b"plain text, for instance")
    assert stream.receive_nowait() == (b"", b"")
    assert stream.ended
    await stream.aclose()


async def test_only_sockets_have_a_descriptor() -> None:
    """TLS and ssh hide what has arrived."""
    ours, _ = trio.testing.memory_stream_pair()
    assert AttachStream(ours).descriptor == -1
