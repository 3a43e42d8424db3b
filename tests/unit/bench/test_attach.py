"""The frames of the engine's attach stream."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import Broken
from bench.floors.attach import Attached

_STDOUT, _STDERR = 1, 2


def _frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4) + payload


def _received(first: bytes, *pieces: bytes) -> bytes:
    ours, engine = socket.socketpair()
    with ours, engine:
        for piece in pieces:
            engine.sendall(piece)
        engine.shutdown(socket.SHUT_WR)
        wire = Attached(ours, first)
        content = b""
        try:
            while True:
                content += wire.receive()
        except Broken:
            return content


@given(at=st.integers(0, 40))
def test_frames_cut_anywhere_give_stdout_only(at: int) -> None:
    """What came along with the upgrade counts, and stderr does not."""
    content = (
        _frame(_STDOUT, b"one\n") + _frame(_STDERR, b"noise") + _frame(_STDOUT, b"two\nthree\n")
    )
    assert _received(content[:at], content[at:]) == b"one\ntwo\nthree\n"


def test_the_end_of_the_stream_is_named() -> None:
    """A dead container ends the measurement."""
    ours, engine = socket.socketpair()
    with ours:
        engine.close()
        with pytest.raises(Broken, match="the container has ended"):
            Attached(ours, b"").receive()
