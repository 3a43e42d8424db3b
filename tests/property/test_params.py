"""Rewriting one field changes that field and no other."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidParams
from gateway.jsonrpc.messages import Id
from gateway.mcp.params import (
    fields,
    pack,
    progress_token,
    text,
    with_progress_token,
    with_text,
)
from tests.property.strategies import ids, json_objects, raw_objects, raw_values, written


def value_of(raw: msgspec.Raw) -> object:
    """As plain JSON values."""
    return json.loads(bytes(raw))


@given(raw_objects)
def test_packing_gives_the_same_value_in_the_same_order(params: msgspec.Raw) -> None:
    """Whatever the object holds."""
    packed = value_of(pack(fields(params)))
    assert packed == value_of(params)
    assert list(packed) == list(value_of(params))  # type: ignore[call-overload] -- objects


@given(raw_values)
def test_params_are_fields_or_invalid(params: msgspec.Raw) -> None:
    """There is no third way out."""
    try:
        members = fields(params)
    except InvalidParams:
        assert not isinstance(value_of(params), dict)
    else:
        assert value_of(pack(members)) == value_of(params)


@given(raw_objects, st.text(), st.text())
def test_a_text_that_was_set_is_read(params: msgspec.Raw, key: str, value: str) -> None:
    """And the other fields are as before."""
    before = fields(params)
    after = with_text(before, key, value)
    assert text(after, key) == value
    assert {**after, key: b""} == {**before, key: b""}


@given(json_objects, json_objects, ids | st.none(), st.none() | ids)
def test_a_token_that_was_set_is_read_and_meta_keeps_the_rest(
    params: dict[str, object], meta: dict[str, object], old: Id | None, new: Id | None
) -> None:
    """Removing it is setting None."""
    if old is not None:
        meta["progressToken"] = old
    params["_meta"] = meta
    members = fields(msgspec.Raw(json.dumps(params).encode()))
    assert progress_token(members) == meta.get("progressToken")
    after = with_progress_token(members, new)
    assert progress_token(after) == new
    expected_meta = {key: value for key, value in meta.items() if key != "progressToken"}
    if new is not None:
        expected_meta["progressToken"] = new
    assert value_of(pack(after)) == {**params, "_meta": expected_meta}


@given(written(json_objects), written(json_objects), st.text())
def test_of_two_equal_keys_the_one_that_is_read_is_written(
    first: bytes, second: bytes, key: str
) -> None:
    """No reader of ours, and none behind us, sees the other."""
    name = json.dumps(key).encode()
    params = msgspec.Raw(b"{" + name + b":" + first + b"," + name + b":" + second + b"}")
    members = fields(params)
    assert value_of(pack(members)) == {key: json.loads(second)}
    assert pack(members) != params
