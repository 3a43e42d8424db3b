"""Headers say what the body says, whatever that is, and nothing else passes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import HeaderMismatch
from gateway.jsonrpc.messages import Request
from gateway.mcp import headers, meta, params
from gateway.mcp.param_headers import param_headers, usable_schema
from tests.property.strategies import json_objects, json_values, written

Raw = msgspec.Raw

VERSION = "2026-07-28"
SCHEMA = Raw(
    json.dumps(
        {
            "properties": {
                "s": {"type": "string", "x-mcp-header": "S"},
                "i": {"type": "integer", "x-mcp-header": "I"},
                "b": {"type": "boolean", "x-mcp-header": "B"},
                "o": {"properties": {"s": {"type": "string", "x-mcp-header": "O-S"}}},
            }
        }
    ).encode()
)
MIRRORED = param_headers(SCHEMA)

arguments = st.fixed_dictionaries(
    {},
    optional={
        "s": st.text() | json_values,
        "i": st.integers() | json_values,
        "b": st.booleans() | json_values,
        "o": st.dictionaries(st.just("s"), st.text() | json_values) | json_values,
        "free": json_values,
    },
)


def call(name: str, values: object) -> Request:
    """A modern call."""
    members = {
        "name": name,
        "arguments": values,
        "_meta": {meta.VERSION: VERSION, meta.CAPABILITIES: {}},
    }
    return Request(1, "tools/call", Raw(json.dumps(members).encode()))


def made(request: Request) -> dict[str, str]:
    """The headers that a client sends with it, as a server sees them."""
    fields = params.fields(request.params)
    sent = headers.make(request.method, fields, version=VERSION, mirrored=MIRRORED)
    return {name.lower(): value for name, value in sent.items()}


def passes(seen: Mapping[str, str], request: Request) -> bool:
    """Whether the request is accepted with these headers; anything else that is raised fails the test."""
    try:
        headers.check(seen, request, SCHEMA)
    except HeaderMismatch:
        return False
    return True


@given(st.text())
def test_any_text_arrives(text: str) -> None:
    """In characters that every header may have."""
    value = headers.encode_value(text)
    assert all(" " <= mark <= "~" for mark in value)
    assert value == value.strip()
    assert headers.decode_value(value) == text


@given(st.text() | st.from_regex(r"=\?base64\?[\x20-\x7e]*\?=", fullmatch=True))
def test_any_value_reads_or_is_refused(value: str) -> None:
    """There is no third way out, and what is read in Base64 has no second spelling."""
    try:
        text = headers.decode_value(value)
    except HeaderMismatch:
        return
    if value.startswith("=?base64?") and value.strip(" \t").endswith("?="):
        assert headers.decode_value(headers.encode_value(text)) == text


@given(st.text(), arguments)
def test_what_a_client_makes_a_server_accepts(name: str, values: object) -> None:
    """For any name and arguments, of whatever types."""
    request = call(name, values)
    assert passes(made(request), request)


@given(st.text(), arguments, st.data())
def test_a_header_less_is_noticed(name: str, values: object, data: st.DataObject) -> None:
    """Each of them is needed."""
    request = call(name, values)
    seen = made(request)
    del seen[data.draw(st.sampled_from(sorted(seen)))]
    assert not passes(seen, request)


@given(st.text(), st.text(), arguments, arguments)
def test_headers_of_another_request_are_noticed(
    name: str, other_name: str, values: object, other_values: object
) -> None:
    """Only those that say the same pass."""
    request, other = call(name, values), call(other_name, other_values)
    assume(made(request) != made(other))
    assert not passes(made(other), request)


@given(st.integers(), st.sampled_from(["", ".0", ".000"]), st.integers(0, 3))
def test_whole_numbers_are_compared_by_value(number: int, tail: str, zeros: int) -> None:
    """However long they are, exactly."""
    request = call("t", {"i": number})
    sign, digits = ("-" if number < 0 else ""), str(abs(number))
    seen = made(request)
    assert passes({**seen, "mcp-param-i": f"{sign}{'0' * zeros}{digits}{tail}"}, request)
    assert not passes({**seen, "mcp-param-i": str(number + 1)}, request)


@given(written(json_values | json_objects))
def test_any_schema_is_usable_or_says_why_not(text: bytes) -> None:
    """Servers make up schemas as they like."""
    reason = usable_schema(Raw(text))
    assert reason is None or reason.endswith(".")


schemas = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "integer", "boolean", "number", "object", None])},
        optional={"x-mcp-header": st.sampled_from(["A", "B", "a", "", "ä", "A b"])},
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from(["p", "q"]), inner),
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "$defs": st.dictionaries(st.just("d"), inner),
        },
    ),
    max_leaves=6,
)


@given(schemas)
def test_a_usable_schema_has_each_header_once(schema: object) -> None:
    """And each of its annotations is found."""
    text = json.dumps(schema).encode()
    if usable_schema(Raw(text)) is None:
        found = param_headers(Raw(text))
        assert len({header.name.lower() for header in found}) == len(found)
        assert len(found) == text.count(b'"x-mcp-header"')
