"""gateway/runtimes/stdcopy.py: the engine's frames, cut anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtimes.stdcopy import STDERR, STDOUT, BrokenStream, Demultiplexer


def frame(stream: int, payload: bytes) -> bytes:
    """One frame as the engine writes it."""
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


frames = st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=200)))


@given(frames, st.lists(st.integers(0, 4000)))
def test_cuts_change_nothing(sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
    """However the stream is cut, both streams come out whole and in order."""
    stream = b"".join(frame(*one) for one in sent)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    demultiplexer = Demultiplexer()
    parts = [demultiplexer.feed(stream[a:b]) for a, b in pairwise(edges)]
    assert b"".join(out for out, _ in parts) == b"".join(p for s, p in sent if s == STDOUT)
    assert b"".join(err for _, err in parts) == b"".join(p for s, p in sent if s == STDERR)


def test_byte_by_byte() -> None:
    """The worst cut of all."""
    demultiplexer = Demultiplexer()
    stream = frame(STDERR, b"oh") + frame(STDOUT, b"hello")
    parts = [demultiplexer.feed(stream[i : i + 1]) for i in range(len(stream))]
    assert b"".join(out for out, _ in parts) == b"hello"
    assert b"".join(err for _, err in parts) == b"oh"


def test_frame_of_many_reads() -> None:
    """A frame longer than any read is handed on as it comes, not collected."""
    demultiplexer = Demultiplexer()
    assert demultiplexer.feed(frame(STDOUT, b"x" * 1_000_000)[:100]) == (b"x" * 92, b"")
    assert demultiplexer.feed(b"x" * 1000) == (b"x" * 1000, b"")


def test_engine_complaint_is_stderr() -> None:
    """Stream 3 is the engine's own error; it belongs where people look."""
    assert Demultiplexer().feed(frame(3, b"daemon is unhappy")) == (b"", b"daemon is unhappy")


@pytest.mark.parametrize("junk", [b'{"jsonrpc"', b"\x01\x01\0\0\0\0\0\x01x", b"\x04\0\0\0\0\0\0\0"])
def test_junk_is_refused(junk: bytes) -> None:
    """What is no frame is an error, and never taken for a length."""
    with pytest.raises(BrokenStream, match="frame header"):
        Demultiplexer().feed(junk)
