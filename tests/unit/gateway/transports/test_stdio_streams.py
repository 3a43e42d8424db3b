"""Our own stdin and stdout as streams, without touching what others share."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.transports.stdio_streams import open_input, open_output, reserved_output

MUCH = b"x" * (4 * limits.MIB)


@contextmanager
def ends(kind: str) -> Iterator[tuple[int, int]]:
    """A reading and a writing descriptor."""
    if kind == "pipe":
        reading, writing = os.pipe()
    else:
        one, other = socket.socketpair()
        reading, writing = one.detach(), other.detach()
    try:
        yield reading, writing
    finally:
        for descriptor in (reading, writing):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture(params=["pipe", "socket", "thread"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way of doing it; without /proc (macOS) a pipe goes through threads."""
    if request.param == "thread":
        monkeypatch.setattr("gateway.transports.stdio_streams._reopened", lambda *_: None)
        return "pipe"
    return str(request.param)


async def test_much_goes_through_and_ends(kind: str) -> None:
    """More than any buffer holds, while both sides wait for each other."""
    with ends(kind) as (reading, writing):
        async with aclosing(open_input(reading)) as source, trio.open_nursery() as nursery:

            async def write() -> None:
                async with aclosing(open_output(writing)) as sink:
                    await sink.send_all(MUCH)
                os.close(writing)

            nursery.start_soon(write)
            size = 0
            while chunk := await source.receive_some(limits.READ_CHUNK_BYTES):
                size += len(chunk)
    assert size == len(MUCH)


async def test_without_waiting_goes_what_there_is_room_for(kind: str) -> None:
    """And nothing where there is none, or where the file itself must be waited for."""
    with ends(kind) as (reading, writing):
        async with aclosing(open_input(reading)) as source, aclosing(open_output(writing)) as sink:
            taken = sink.send_nowait(MUCH)
            assert taken < len(MUCH)
            while more := sink.send_nowait(MUCH):
                taken += more
            received = 0
            while received < taken:
                received += len(await source.receive_some(limits.READ_CHUNK_BYTES))
            assert received == taken


async def test_the_shared_description_stays_blocking(kind: str) -> None:
    """Who started us may share it with a shell, or with our stderr."""
    with ends(kind) as (reading, writing):
        async with (
            aclosing(open_input(reading)) as source,
            aclosing(open_output(writing)) as sink,
        ):
            await sink.send_all(b"x")
            assert await source.receive_some(10) == b"x"
            assert os.get_blocking(reading)
            assert os.get_blocking(writing)
        os.write(writing, b"still open")
        assert os.read(reading, 10) == b"still open"


async def test_a_reader_that_is_gone_is_an_error(kind: str) -> None:
    """Of trio's kind."""
    with ends(kind) as (reading, writing):
        async with aclosing(open_output(writing)) as sink:
            os.close(reading)
            with pytest.raises(trio.BrokenResourceError):
                await sink.send_all(MUCH)


async def test_a_read_can_be_cancelled(kind: str) -> None:
    """At shutdown nobody waits for a client that says nothing; a thread is left behind, not waited for."""
    with ends(kind) as (reading, writing):
        async with aclosing(open_input(reading)) as source:
            with trio.move_on_after(0.01) as scope:
                await source.receive_some(1)
            assert scope.cancelled_caught
        os.write(writing, b"x")  # lets an abandoned thread go


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    """Which epoll could not wait for."""
    file = tmp_path / "file"
    file.write_bytes(b"content")
    with file.open("rb") as opened:
        async with aclosing(open_input(opened.fileno())) as source:
            assert await source.receive_some() == b"content"
            assert await source.receive_some() == b""


async def test_the_null_device_has_ended() -> None:
    """The stdin of a container without `-i`."""
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        async with aclosing(open_input(null)) as source:
            assert await source.receive_some() == b""
    finally:
        os.close(null)


async def test_a_closed_descriptor_is_an_error() -> None:
    """Of trio's kind, in either direction; a socket that broke, too."""
    with ends("pipe") as (reading, _):
        pass
    async with aclosing(open_input(reading)) as source, aclosing(open_output(reading)) as sink:
        with pytest.raises(trio.BrokenResourceError):
            await source.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await sink.send_all(b"x")


async def test_a_broken_socket_is_an_error() -> None:
    """A datagram socket without peer refuses both."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unconnected:
        async with (
            aclosing(open_input(unconnected.fileno())) as source,
            aclosing(open_output(unconnected.fileno())) as sink,
        ):
            with pytest.raises(trio.BrokenResourceError):
                await source.receive_some()
            with pytest.raises(trio.BrokenResourceError):
                await sink.send_all(b"x")


def test_the_reserved_output_is_out_of_reach(capfd: pytest.CaptureFixture[str]) -> None:
    """Writes to the original land on stderr; afterwards it is itself again, also after an error."""
    with ends("pipe") as (reading, writing):
        with suppress(ZeroDivisionError), reserved_output(writing) as private:
            os.write(writing, b"stray\n")
            os.write(private, b"protocol")
            raise ZeroDivisionError
        assert os.read(reading, 100) == b"protocol"
        os.write(writing, b"again")
        assert os.read(reading, 100) == b"again"
    assert capfd.readouterr().err == "stray\n"
