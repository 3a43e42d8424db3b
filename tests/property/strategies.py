"""What the property tests feed in: JSON, messages, and streams cut anywhere."""

import itertools
import json

import msgspec
from hypothesis import strategies as st

from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)  # fmt: skip
json_objects = st.dictionaries(st.text(), json_values, max_size=5)
ids = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@st.composite
def written(draw: st.DrawFn, values: st.SearchStrategy[object]) -> bytes:
    """The JSON text of a value, with or without blanks, line breaks and escapes."""
    text = json.dumps(
        draw(values),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 0, 1, "\t"])),
    )
    # Strings hold no raw line breaks, so that these are all between tokens.
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"]))).encode()


raw_values = written(json_values).map(msgspec.Raw)
raw_objects = written(json_objects).map(msgspec.Raw)
maybe_params = st.none() | raw_objects

messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Request, ids, st.text(), maybe_params),
    st.builds(Notification, st.text(), maybe_params),
    st.builds(Result, ids, raw_values),
    st.builds(
        Failure,
        st.none() | ids,
        st.integers(min_value=-(2**63), max_value=2**63 - 1),
        st.text(),
        st.none() | raw_values,
    ),
)


@st.composite
def chunked(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> list[bytes]:
    """A stream in chunks, cut anywhere; some may be empty."""
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]
