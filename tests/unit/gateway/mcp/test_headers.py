"""Headers repeat the body exactly, or the request is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import HeaderMismatch, InvalidParams
from gateway.jsonrpc.messages import Request
from gateway.mcp import headers, meta, params
from gateway.mcp.param_headers import ParamHeader

Raw = msgspec.Raw

VERSION = "2026-07-28"
META = {meta.VERSION: VERSION, meta.CAPABILITIES: {}}
SCHEMA = Raw(
    json.dumps(
        {
            "type": "object",
            "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "count": {"type": "integer", "x-mcp-header": "Count"},
                "dry": {"type": "boolean", "x-mcp-header": "Dry"},
                "place": {
                    "type": "object",
                    "properties": {"city": {"type": "string", "x-mcp-header": "City"}},
                },
                "query": {"type": "string"},
            },
        }
    ).encode()
)


def raw(value: object) -> msgspec.Raw:
    """A value as JSON text."""
    return Raw(json.dumps(value).encode())


def request(method: str, **members: Any) -> Request:
    """A modern request."""
    return Request(1, method, raw({**members, "_meta": META}))


def call(**arguments: Any) -> Request:
    """A modern call of a tool."""
    return request("tools/call", name="query", arguments=arguments)


def of(sent: dict[str, str]) -> dict[str, str]:
    """Headers as a server sees them: by lower-case name."""
    return {name.lower(): value for name, value in sent.items()}


STANDARD = of({"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": "query"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("us-west1", "us-west1"),
        ("", ""),
        ("a b", "a b"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("a\tb", "=?base64?YQli?="),
        ("=?base64?open", "=?base64?open"),
    ],
)
def test_what_would_not_arrive_as_it_stands_is_encoded(text: str, value: str) -> None:
    """The examples of the specification, and their neighbours."""
    assert headers.encode_value(text) == value
    assert headers.decode_value(value) == text


@pytest.mark.parametrize(
    "value",
    [
        "=?base64?SGVsbG8?=",
        "=?base64?SGVs!!!bG8=?=",
        "=?base64?SGVsbG9=?=",
        "=?base64?/w==?=",
        "caf\xe9",
        "a\x00b",
        "a\x7fb",
    ],
)
def test_what_nobody_writes_is_refused(value: str) -> None:
    """Wrong padding, wrong letters, spare bits, no UTF-8, characters no header may have."""
    with pytest.raises(HeaderMismatch):
        headers.decode_value(value)


def test_blanks_around_a_value_do_not_count() -> None:
    """RFC 9110 §5.5."""
    assert headers.decode_value(" \t x \t") == "x"


@pytest.mark.parametrize(
    ("method", "members", "name"),
    [
        ("tools/list", {}, None),
        ("tools/call", {"name": "query"}, "query"),
        ("prompts/get", {"name": "prüfen"}, "=?base64?cHLDvGZlbg==?="),
        ("resources/read", {"uri": "file:///a b"}, "file:///a b"),
        ("tasks/get", {"taskId": "t1"}, "t1"),
        ("tools/call", {"name": 3}, None),
        ("tools/call", {}, None),
    ],
)
def test_a_client_names_what_it_asks_for(
    method: str, members: dict[str, Any], name: str | None
) -> None:
    """Where there is something to name."""
    wanted = {"MCP-Protocol-Version": VERSION, "Mcp-Method": method}
    if name is not None:
        wanted["Mcp-Name"] = name
    assert headers.make(method, params.fields(raw(members)), version=VERSION) == wanted


@pytest.mark.parametrize(
    ("arguments", "mirrored"),
    [
        (b"{}", {}),
        (b'{"region":"eu"}', {"Mcp-Param-Region": "eu"}),
        (b'{"region":null,"count":null}', {}),
        (b'{"region":{"a":1},"count":[1]}', {}),
        (b'{"count":42}', {"Mcp-Param-Count": "42"}),
        (b'{"count":-7.0}', {"Mcp-Param-Count": "-7"}),
        (b'{"count":4.2e1}', {"Mcp-Param-Count": "42"}),
        (b'{"count":1.5}', {"Mcp-Param-Count": "1.5"}),
        (b'{"count":1e999}', {"Mcp-Param-Count": "1e999"}),
        (b'{"count":1e99999999999999999999}', {"Mcp-Param-Count": "1e99999999999999999999"}),
        (b'{"count":12345678901234567890123}', {"Mcp-Param-Count": "12345678901234567890123"}),
        (b'{"dry":true}', {"Mcp-Param-Dry": "true"}),
        (b'{"dry":false}', {"Mcp-Param-Dry": "false"}),
        (b'{"place":{"city":" Bern"}}', {"Mcp-Param-City": "=?base64?IEJlcm4=?="}),
        (b'{"place":"Bern"}', {}),
        (b'{"place":{}}', {}),
        (b'"eu"', {}),
        (b'{"region":"","query":"q"}', {"Mcp-Param-Region": ""}),
    ],
)
def test_a_client_mirrors_annotated_arguments(arguments: bytes, mirrored: dict[str, str]) -> None:
    """Present ones only, each as plain text; and what was made is accepted."""
    members = params.fields(Raw(b'{"name":"query","arguments":%b}' % arguments))
    found = headers.param_headers(SCHEMA)
    made = headers.make("tools/call", members, version=VERSION, mirrored=found)
    standard = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": "query"}
    assert made == {**standard, **mirrored}
    headers.check_params(of(made), members, found)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"mcp-protocol-version": None}, "MCP-Protocol-Version is missing"),
        ({"mcp-protocol-version": "2025-11-25"}, "MCP-Protocol-Version says '2025-11-25'"),
        ({"mcp-method": None}, "Mcp-Method is missing"),
        ({"mcp-method": "TOOLS/CALL"}, "Mcp-Method says"),
        ({"mcp-method": "tools/call, tools/call"}, "Mcp-Method says"),
        ({"mcp-name": None}, "Mcp-Name is missing"),
        ({"mcp-name": "other"}, "Mcp-Name says 'other'"),
        ({"mcp-name": "=?base64?SGVsbG8?="}, "Mcp-Name cannot be read"),
        ({"mcp-name": "qu\xe9ry"}, "Mcp-Name cannot be read"),
    ],
)
def test_standard_headers_must_repeat_the_body(changed: dict[str, str | None], named: str) -> None:
    """Each of them, exactly."""
    seen = {name: text for name, text in {**STANDARD, **changed}.items() if text is not None}
    with pytest.raises(HeaderMismatch) as caught:
        headers.check(seen, call())
    assert named in str(caught.value)
    assert (caught.value.code, caught.value.http_status) == (-32020, 400)


def test_headers_that_repeat_the_body_pass() -> None:
    """Blanks around them, and Base64 that was not needed, change nothing."""
    headers.check(STANDARD, call())
    headers.check({**STANDARD, "mcp-name": "  query  "}, call())
    headers.check({**STANDARD, "mcp-name": "=?base64?cXVlcnk=?="}, call())
    headers.check({**STANDARD, "mcp-method": " tools/list"}, request("tools/list"))


def test_a_name_that_only_the_header_has_is_refused() -> None:
    """A proxy would have routed by it."""
    with pytest.raises(HeaderMismatch, match="Mcp-Name"):
        headers.check(STANDARD, request("tools/call"))
    nameless = {name: text for name, text in STANDARD.items() if name != "mcp-name"}
    headers.check(nameless, request("tools/call"))


def test_a_request_that_is_not_modern_has_no_headers_to_check() -> None:
    """Its params are at fault, not its headers."""
    with pytest.raises(InvalidParams):
        headers.check(STANDARD, Request(1, "tools/call", raw({"name": "query"})))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"region": "eu"}, {"mcp-param-region": "eu"}),
        ({"region": "Hello"}, {"mcp-param-region": "=?base64?SGVsbG8=?="}),
        ({"region": "SGVsbG8="}, {"mcp-param-region": "SGVsbG8="}),
        ({"region": "=?base64?SGVsbG8="}, {"mcp-param-region": "=?base64?SGVsbG8="}),
        ({"count": 42}, {"mcp-param-count": "42.0"}),
        ({"count": 42.0}, {"mcp-param-count": "42"}),
        ({"count": 42}, {"mcp-param-count": " 042 "}),
        ({"dry": True}, {"mcp-param-dry": "true"}),
        ({"place": {"city": "Bern"}}, {"mcp-param-city": "Bern"}),
        ({"region": None}, {}),
        ({}, {"mcp-param-unknown": "x", "mcp-param-query": "y"}),
    ],
)
def test_arguments_and_their_headers_agree(arguments: dict[str, Any], said: dict[str, str]) -> None:
    """Numbers by their value, all else by its text; headers nobody asked for are let through."""
    headers.check({**STANDARD, **said}, call(**arguments), SCHEMA)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"region": "eu"}, {}),
        ({"region": "eu"}, {"mcp-param-region": "us"}),
        ({"region": "eu"}, {"mcp-param-region": "eu, eu"}),
        ({"region": "Hello"}, {"mcp-param-region": "=?base64?SGVsbG8?="}),
        ({"region": "42"}, {"mcp-param-region": "42.0"}),
        ({"count": 42}, {"mcp-param-count": "43"}),
        ({"count": 42}, {"mcp-param-count": "4.2e1"}),
        ({"count": 42}, {"mcp-param-count": ""}),
        ({"dry": True}, {"mcp-param-dry": "True"}),
        ({}, {"mcp-param-region": "eu"}),
        ({"region": None}, {"mcp-param-region": "eu"}),
        ({"region": ["eu"]}, {"mcp-param-region": "eu"}),
    ],
)
def test_arguments_and_their_headers_that_differ_are_refused(
    arguments: dict[str, Any], said: dict[str, str]
) -> None:
    """Also where only one of the two is there."""
    with pytest.raises(HeaderMismatch, match="Mcp-Param-"):
        headers.check({**STANDARD, **said}, call(**arguments), SCHEMA)


def test_an_unusable_schema_asks_for_no_headers() -> None:
    """Clients do not even show its tool."""
    schema = raw({"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}})
    headers.check(STANDARD, call(a=1), schema)


def test_what_is_mirrored_is_said_once() -> None:
    """Made for a schema once, used for each call."""
    assert headers.param_headers(SCHEMA) == (
        ParamHeader("Mcp-Param-Region", ("region",)),
        ParamHeader("Mcp-Param-Count", ("count",)),
        ParamHeader("Mcp-Param-Dry", ("dry",)),
        ParamHeader("Mcp-Param-City", ("place", "city")),
    )
