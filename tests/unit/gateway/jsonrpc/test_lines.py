"""Where lines end, and what happens to those that do not."""

import pytest

from gateway.errors import TooLong
from gateway.jsonrpc.edges import Edges
from gateway.jsonrpc.lines import LineSplitter
from gateway.limits import FRAME_EDGE_BYTES


def test_lines_are_cut_at_lf_and_crlf() -> None:
    """Both ends are tolerated; neither is part of the line."""
    assert LineSplitter(10).feed(b"a\nb\r\nc\n") == [b"a", b"b", b"c"]


def test_a_line_may_come_in_many_pieces() -> None:
    """Also where a chunk ends between CR and LF."""
    lines = LineSplitter(10)
    assert lines.feed(b"a") == []
    assert lines.feed(b"b\r") == []
    assert lines.feed(b"\nc") == [b"ab"]
    assert lines.feed(b"") == []
    assert lines.feed(b"\n") == [b"c"]


def test_blank_lines_are_skipped() -> None:
    """Nothing, blanks and bare line ends are no messages."""
    assert LineSplitter(10).feed(b"\n\r\n  \t\r\na\n\n") == [b"a"]


def test_rest_is_the_line_that_did_not_end() -> None:
    """At the end of a stream its reader may still want it, once."""
    lines = LineSplitter(10)
    lines.feed(b"a\nbc\r")
    assert lines.rest() == b"bc"
    assert lines.rest() == b""


def test_a_line_that_is_too_long_is_reported_once_and_the_next_one_read() -> None:
    """The connection goes on behind it."""
    lines = LineSplitter(4)
    found = [item for chunk in (b"12345", b"6789", b"0\nnext\n") for item in lines.feed(chunk)]
    assert isinstance(found[0], TooLong)
    assert (found[0].code, found[0].begin) == (-32700, b"12345")
    assert found[1:] == [Edges.of(b"1234567890"), b"next"]


def test_too_long_a_line_within_one_chunk_costs_only_itself() -> None:
    """The lines before and after it arrive."""
    first, fault, edges, last = LineSplitter(4).feed(b"a\n12345\nb\n")
    assert (first, edges, last) == (b"a", Edges.of(b"12345"), b"b")
    assert isinstance(fault, TooLong)


def test_too_long_a_line_is_reported_before_it_ends() -> None:
    """A line may never end."""
    lines = LineSplitter(4)
    assert len(lines.feed(b"12345")) == 1
    assert lines.rest() == b""


@pytest.mark.parametrize("chunks", [(b"1234\r\n",), (b"1234\r", b"\n"), (b"1234", b"\r\n")])
def test_the_longest_line_may_end_in_crlf(chunks: tuple[bytes, ...]) -> None:
    """The limit counts the line without its end."""
    lines = LineSplitter(4)
    assert [item for chunk in chunks for item in lines.feed(chunk)] == [b"1234"]


def test_memory_is_bounded_while_a_long_line_is_skipped() -> None:
    """What is skipped is not kept."""
    lines = LineSplitter(100)
    for _ in range(1000):
        lines.feed(b"x" * 1000)
    assert len(lines._begun) <= 100
    assert max(map(len, lines._edges)) == FRAME_EDGE_BYTES


@pytest.mark.parametrize("chunks", [(b"1234\r\r\n",), (b"1234\r\r", b"\n"), (b"1234\r", b"\r\n")])
def test_only_one_cr_belongs_to_the_end_of_a_line(chunks: tuple[bytes, ...]) -> None:
    """A second one is part of the line, and counts, however the stream is cut."""
    lines = LineSplitter(4)
    found, edges = [item for chunk in chunks for item in lines.feed(chunk)]
    assert isinstance(found, TooLong)
    assert edges == Edges.of(b"1234\r\r")
    assert LineSplitter(5).feed(b"".join(chunks)) == [b"1234\r"]
