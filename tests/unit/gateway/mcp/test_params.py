"""Single fields are read and rewritten, all else stays."""

from collections.abc import Callable

import msgspec
import pytest

from gateway.errors import InvalidParams
from gateway.jsonrpc.messages import Id
from gateway.limits import MAX_WIDE_BYTES
from gateway.mcp.params import (
    Fields,
    fields,
    pack,
    progress_token,
    reported_token,
    request_id,
    text,
    with_progress_token,
    with_text,
)

Raw = msgspec.Raw


def of(json: bytes) -> Fields:
    """The fields of this object."""
    return fields(Raw(json))


def test_no_params_have_no_fields() -> None:
    """Absent and empty are the same to a method."""
    assert fields(None) == {}
    assert of(b"{}") == {}


@pytest.mark.parametrize("params", [b"[1]", b"3", b"null", b'"x"', b"{", b'{"a":' + b"[" * 99_999])
def test_params_that_are_no_object_are_refused(params: bytes) -> None:
    """-32602, in one sentence."""
    with pytest.raises(InvalidParams, match="params must be an object"):
        of(params)


@pytest.mark.refuses("inside.MAX_WIDE_BYTES")
def test_long_params_have_known_fields_only() -> None:
    """Those that make params long are known; others could be millions."""
    long = b'{"%s":"' + b"x" * MAX_WIDE_BYTES + b'"}'
    assert len(of(long % b"arguments")) == 1
    with pytest.raises(InvalidParams, match="known fields"):
        of(long % b"unknown")


def test_packing_keeps_order_and_text_of_all_fields() -> None:
    """Numbers, escapes and unknown fields come out as they went in."""
    json = b'{"z":1.10,"a":"\\u00e4","n":12345678901234567890123,"e":1e999}'
    assert bytes(pack(of(json))) == json


def test_the_last_of_two_equal_keys_counts_and_alone_travels_on() -> None:
    """Nothing is smuggled past who looks."""
    members = of(b'{"name":"good","x":1,"name":"bad"}')
    assert text(members, "name") == "bad"
    assert bytes(pack(members)) == b'{"name":"bad","x":1}'


@pytest.mark.parametrize("params", [b"{}", b'{"name":3}', b'{"name":null}', b'{"name":["x"]}'])
def test_a_text_that_is_missing_or_none_is_named(params: bytes) -> None:
    """The error says which field."""
    with pytest.raises(InvalidParams, match=r"params\.name"):
        text(of(params), "name")


def test_a_text_is_set_in_its_place() -> None:
    """The other fields keep theirs."""
    members = with_text(of(b'{"a":1,"name":"x","b":2}'), "name", 'y"')
    assert bytes(pack(members)) == b'{"a":1,"name":"y\\"","b":2}'


@pytest.mark.parametrize(
    ("params", "token"),
    [
        (b"{}", None),
        (b'{"_meta":{}}', None),
        (b'{"_meta":{"progressToken":3}}', 3),
        (b'{"_meta":{"x":1,"progressToken":"t"}}', "t"),
        (b'{"_meta":{"progressToken":0}}', 0),
    ],
)
def test_the_progress_token_is_found(params: bytes, token: Id | None) -> None:
    """None where the sender wants no progress; 0 and "" are tokens."""
    assert progress_token(of(params)) == token


@pytest.mark.parametrize(
    ("read", "params", "named"),
    [
        (progress_token, b'{"_meta":[]}', "params._meta must"),
        (progress_token, b'{"_meta":{"progressToken":true}}', "params._meta.progressToken"),
        (progress_token, b'{"_meta":{"progressToken":null}}', "params._meta.progressToken"),
        (reported_token, b"{}", "params.progressToken"),
        (reported_token, b'{"progressToken":{}}', "params.progressToken"),
        (request_id, b"{}", "params.requestId"),
        (request_id, b'{"requestId":null}', "params.requestId"),
        (request_id, b'{"requestId":{}}', "params.requestId"),
    ],
)
def test_ill_typed_ids_are_named(read: Callable[[Fields], Id], params: bytes, named: str) -> None:
    """Tokens and ids are strings or numbers."""
    with pytest.raises(InvalidParams) as caught:
        read(of(params))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("params", "token", "rewritten"),
    [
        (b'{"a":1}', 7, b'{"a":1,"_meta":{"progressToken":7}}'),
        (b'{"_meta":{"x":1,"progressToken":"t","y":2},"a":1}', 7, b'{"_meta":{"x":1,"progressToken":7,"y":2},"a":1}'),
        (b'{"_meta":{"x":1}}', "t", b'{"_meta":{"x":1,"progressToken":"t"}}'),
        (b'{"_meta":{"x":1,"progressToken":"t"}}', None, b'{"_meta":{"x":1}}'),
        (b'{"_meta":{"progressToken":"t"}}', None, b'{"_meta":{}}'),
        (b'{"_meta": {"x": 1}}', None, b'{"_meta":{"x": 1}}'),
        (b'{"a":1}', None, b'{"a":1}'),
    ],
)  # fmt: skip
def test_only_the_progress_token_is_rewritten(
    params: bytes, token: Id | None, rewritten: bytes
) -> None:
    """Everything else in `_meta` belongs to the sender."""
    assert bytes(pack(with_progress_token(of(params), token))) == rewritten


def test_rewriting_leaves_the_fields_it_was_given() -> None:
    """They may be needed for another try."""
    members = of(b'{"_meta":{"progressToken":"t"}}')
    with_progress_token(members, None)
    with_text(members, "a", "b")
    assert bytes(pack(members)) == b'{"_meta":{"progressToken":"t"}}'


def test_the_id_of_a_cancelled_request_is_read() -> None:
    """As it was written."""
    assert request_id(of(b'{"requestId":"7","reason":"x"}')) == "7"
    assert request_id(of(b'{"requestId":7}')) == 7


def test_the_token_of_a_progress_report_is_read() -> None:
    """As it was written."""
    assert reported_token(of(b'{"progressToken":"t","progress":1}')) == "t"
    assert reported_token(of(b'{"progressToken":0}')) == 0
