"""The edges of a frame never tell of another answer than the frame itself."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc.codec import decode
from gateway.jsonrpc.edges import Edges
from gateway.jsonrpc.messages import Failure, Result
from tests.property.strategies import json_objects, json_values

_NAMES = st.sampled_from(["id", "jsonrpc", "method", "result", "error"])
_CONFUSING = st.recursive(
    st.integers(0, 9) | st.sampled_from(["2.0", ',"id":1}', '"id":2,"result":', "m"]),
    lambda inner: st.dictionaries(_NAMES, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=8,
)
_PAYLOADS = json_objects | _CONFUSING | st.dictionaries(_NAMES, _CONFUSING, max_size=4)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A message with its members in any order, and perhaps others."""
    members: dict[str, Any] = {"jsonrpc": "2.0"}
    match draw(st.sampled_from(["result", "error", "request", "notification"])):
        case "result":
            members |= {"id": draw(st.integers(0, 99)), "result": draw(_PAYLOADS)}
        case "error":
            error = {"code": 1, "message": draw(st.text()), "data": draw(_PAYLOADS)}
            members |= {"id": draw(st.integers(0, 99)), "error": error}
        case "request":
            members |= {"id": draw(st.integers(0, 99)), "method": draw(st.text())}
            members |= {"params": draw(st.dictionaries(_NAMES, _CONFUSING, max_size=4))}
        case _:
            members |= {"method": "m", "params": draw(json_objects)}
    members |= draw(
        st.dictionaries(st.text("ab", min_size=1), json_values | _CONFUSING, max_size=2)
    )
    ordered = dict(draw(st.permutations(list(members.items()))))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
    return json.dumps(ordered, separators=separators, ensure_ascii=draw(st.booleans())).encode()


@given(frames())
def test_they_name_the_request_or_none(frame: bytes) -> None:
    """Of an answer its own; of anything else none. An answer is never taken for something else."""
    edges, message = Edges.of(frame), decode(frame)
    if isinstance(message, Result | Failure):
        assert edges.answered in {None, message.id}
        assert edges.may_answer
    else:
        assert edges.answered is None
