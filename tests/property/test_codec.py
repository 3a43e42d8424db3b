"""No input breaks the codec, and nothing is lost on its way through."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.jsonrpc.codec import decode, encode, one_line, repair_surrogates
from gateway.jsonrpc.messages import Message
from tests.property.strategies import json_values, messages, written


def value_of(message: Message) -> object:
    """The message as plain JSON values."""
    return json.loads(encode(message))


def decode_or_fault(frame: bytes) -> Message | Malformed:
    """The message, or why there is none; anything else that is raised fails the test."""
    try:
        return decode(frame)
    except Malformed as error:
        return error


@given(messages)
def test_what_is_written_reads_the_same(message: Message) -> None:
    """For messages of every kind with any payload."""
    assert value_of(decode(encode(message))) == value_of(message)


@given(messages)
def test_a_frame_is_one_line(message: Message) -> None:
    """Whatever line breaks its payload came with."""
    frame = encode(message)
    assert b"\n" not in frame
    assert b"\r" not in frame


@given(written(json_values))
def test_one_line_has_the_same_value(text: bytes) -> None:
    """Blanks stand in for line breaks between tokens only."""
    assert json.loads(one_line(text)) == json.loads(text)


@given(
    st.binary() | written(json_values) | st.binary().map(lambda tail: b'{"jsonrpc":"2.0"' + tail)
)
@example(b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"m"}')
@example(b'{"jsonrpc":"2.0","id":1,"error":' + b"[" * 500 + b"]" * 500 + b"}")
def test_any_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    """There is no third way out."""
    message = decode_or_fault(frame)
    if isinstance(message, Malformed):
        assert message.code in {-32700, -32600}
    else:
        assert value_of(decode(encode(message))) == value_of(message)


@given(
    st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"]),
        json_values | st.just("2.0") | st.just({"code": 1, "message": "m"}),
    )
)
def test_any_envelope_is_a_message_or_malformed(members: dict[str, object]) -> None:
    """Also those that are nearly right."""
    message = decode_or_fault(json.dumps(members).encode())
    if isinstance(message, Malformed):
        assert message.code == -32600
    else:
        assert members["jsonrpc"] == "2.0"
        assert value_of(message)["jsonrpc"] == "2.0"  # type: ignore[index] -- an object


# Text in which surrogates, pairs of them and backslashes are common.
_troubled = st.text(
    st.sampled_from("\ud83d\ude00\ud800\udfff\\nu😀aä") | st.characters(exclude_categories=[]),
)


@given(_troubled, st.booleans())
def test_repaired_frames_can_be_read_and_differ_in_nothing_else(text: str, upper: bool) -> None:  # noqa: FBT001 -- drawn by hypothesis
    """Each surrogate without a partner is one replacement character; pairs are characters."""
    frame = json.dumps(text).encode()
    if upper:
        frame = frame.replace(b"\\ud", b"\\uD")
    unpaired = json.loads(frame)
    expected = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in unpaired)
    repaired = repair_surrogates(frame)
    assert json.loads(repaired) == expected
    decode(b'{"jsonrpc":"2.0","id":1,"result":' + repaired + b"}")
