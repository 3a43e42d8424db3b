"""gateway/runtimes/stderr_tail.py: the last of a server's stderr."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.runtimes.stderr_tail import StderrTail


@given(st.binary(max_size=500), st.lists(st.integers(0, 500)))
def test_lines_come_out_however_the_bytes_are_cut(text: bytes, cuts: list[int]) -> None:
    """The sink sees the same lines for every cut."""
    seen: list[str] = []
    tail = StderrTail("s", lambda _, line: seen.append(line))
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for a, b in pairwise(edges):
        tail.feed(text[a:b])
    tail.end()
    expected = text.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert seen == [line.rstrip(b"\r").decode(errors="replace") for line in expected]


def test_keeps_only_the_last() -> None:
    """However much is written, the tail is bounded and holds the newest."""
    tail = StderrTail("s")
    for number in range(20_000):
        tail.feed(b"line %d\n" % number)
    assert len(tail.text()) == limits.STDERR_TAIL_BYTES
    assert tail.text().endswith("line 19999\n")


def test_endless_line_is_handed_on_in_pieces() -> None:
    """A line that never ends neither fills the memory nor is lost."""
    seen: list[str] = []
    tail = StderrTail("s", lambda _, line: seen.append(line))
    tail.feed(b"x" * 20_000)
    tail.end()
    tail.end()
    assert "".join(seen) == "x" * 20_000
    assert max(len(line) for line in seen) == 8192


def test_undecodable_bytes_are_replaced() -> None:
    """Binary junk on stderr is shown, not raised."""
    tail = StderrTail("s")
    tail.feed(b"\xff\xfe")
    assert tail.text() == "\ufffd\ufffd"
