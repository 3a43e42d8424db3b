"""Where a stream is cut makes no difference to its lines."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.jsonrpc.codec import encode
from gateway.jsonrpc.lines import LineSplitter
from gateway.jsonrpc.messages import Message
from tests.property.strategies import chunked, messages

# Few different bytes, so that line ends of all kinds are common.
_streams = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b" "])).map(b"".join)


def read(chunks: list[bytes], max_bytes: int) -> tuple[list[bytes | str], bytes]:
    """The lines of these chunks (faults as text), and what is left."""
    lines = LineSplitter(max_bytes)
    found = [item for chunk in chunks for item in lines.feed(chunk)]
    return [str(item) if isinstance(item, Malformed) else item for item in found], lines.rest()


@given(chunked(_streams), st.integers(1, 8))
def test_any_cut_gives_the_same_lines(chunks: list[bytes], max_bytes: int) -> None:
    """Faults included."""
    assert read(chunks, max_bytes) == read([b"".join(chunks)], max_bytes)


@given(chunked(_streams))
def test_no_byte_of_a_line_is_lost(chunks: list[bytes]) -> None:
    """Only line ends and blank lines go."""
    found, rest = read(chunks, 10_000)
    *whole, last = b"".join(chunks).split(b"\n")
    lines = [line.removesuffix(b"\r") for line in whole]
    assert found == [line for line in lines if line and not line.isspace()]
    assert rest == last.removesuffix(b"\r")


@given(st.lists(messages, max_size=5), st.data())
def test_each_message_is_one_line(sent: list[Message], data: st.DataObject) -> None:
    """No payload makes one message two."""
    frames = [encode(message) for message in sent]
    chunks = data.draw(chunked(st.just(b"".join(frame + b"\n" for frame in frames))))
    assert read(chunks, 10**6) == (frames, b"")
