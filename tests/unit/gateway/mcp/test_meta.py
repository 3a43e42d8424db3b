"""What a modern request says of its client, read and written."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import InvalidParams, ProtocolFault, UnsupportedVersion
from gateway.jsonrpc.codec import failure
from gateway.mcp import meta, params

Raw = msgspec.Raw

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
CLIENT = "io.modelcontextprotocol/clientInfo"
LEVEL = "io.modelcontextprotocol/logLevel"
SERVER = "io.modelcontextprotocol/serverInfo"
LEAST = {VERSION: "2026-07-28", CAPABILITIES: {}}
INFO = Raw(b'{"name":"mcpgw","version":"0"}')


def raw(value: object) -> msgspec.Raw:
    """A value as JSON text."""
    return Raw(json.dumps(value).encode())


def with_meta(value: Any) -> params.Fields:
    """Params with this `_meta`."""
    return params.fields(raw({"a": 1, "_meta": value}))


def plain(members: params.Fields) -> Any:
    """Fields as plain values."""
    return json.loads(bytes(params.pack(members)))


def test_a_request_says_all_of_its_client() -> None:
    """Nothing is known from earlier ones."""
    read = meta.parse_meta(
        with_meta(
            {
                **LEAST,
                CAPABILITIES: {"roots": {}, "extensions": {"io.modelcontextprotocol/ui": {"x": 1}}},
                CLIENT: {"name": "c", "version": "1"},
                LEVEL: "debug",
                "progressToken": 3,
            }
        )
    )
    assert read is not None
    assert read.version == "2026-07-28"
    assert list(read.capabilities) == ["roots", "extensions"]
    assert read.client_name == "c"
    assert read.log_level == "debug"
    assert plain(read.extensions) == {"io.modelcontextprotocol/ui": {"x": 1}}


def test_the_least_that_a_request_says_is_enough() -> None:
    """Its name and a log level are a courtesy."""
    read = meta.parse_meta(with_meta(LEAST))
    assert read == meta.ModernMeta(version="2026-07-28", capabilities={})
    assert read.client_name == ""
    nameless = meta.parse_meta(with_meta({**LEAST, CLIENT: {"name": 3}}))
    assert nameless is not None
    assert nameless.client_name == ""


@pytest.mark.parametrize("value", [{}, {"progressToken": 1}, {"traceparent": "x"}, [], 3, None])
def test_other_requests_are_not_modern(value: Any) -> None:
    """Legacy clients have a `_meta` too."""
    assert meta.parse_meta(with_meta(value)) is None
    with pytest.raises(InvalidParams):
        meta.read_meta(with_meta(value))


def test_a_request_without_meta_is_not_modern() -> None:
    """Unless something else says that it is."""
    assert meta.parse_meta({}) is None
    with pytest.raises(InvalidParams, match="_meta"):
        meta.read_meta({})


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({VERSION: "2026-07-28"}, CAPABILITIES),
        ({CAPABILITIES: {}}, VERSION),
        ({CLIENT: {}}, VERSION),
        ({LEVEL: "info"}, VERSION),
        ({**LEAST, VERSION: 3}, VERSION),
        ({**LEAST, VERSION: None}, VERSION),
        ({**LEAST, CAPABILITIES: []}, CAPABILITIES),
        ({**LEAST, CAPABILITIES: {"extensions": 3}}, "extensions"),
        ({**LEAST, CLIENT: "me"}, CLIENT),
        ({**LEAST, LEVEL: 3}, LEVEL),
        ({**LEAST, LEVEL: "verbose"}, "'verbose'"),
    ],
)
def test_a_modern_request_must_say_it_right(value: Any, named: str) -> None:
    """-32602 that names the member."""
    with pytest.raises(InvalidParams) as caught:
        meta.parse_meta(with_meta(value))
    assert named in str(caught.value)
    assert (caught.value.code, caught.value.http_status) == (-32602, 400)


@pytest.mark.parametrize("version", ["1900-01-01", "2025-11-25", ""])
def test_a_revision_not_spoken_is_answered_with_those_that_are(version: str) -> None:
    """A client chooses one and tries again."""
    with pytest.raises(UnsupportedVersion) as caught:
        meta.check_version(meta.ModernMeta(version=version, capabilities={}))
    answer = failure(caught.value, 1)
    assert (answer.code, caught.value.http_status) == (-32022, 400)
    assert json.loads(bytes(answer.data or b"")) == {
        "supported": ["2026-07-28"],
        "requested": version,
    }


def test_a_revision_that_is_spoken_passes() -> None:
    """Silently."""
    meta.check_version(meta.ModernMeta(version="2026-07-28", capabilities={}))


def test_what_is_stamped_is_read_again() -> None:
    """Towards servers we are the client."""
    stamped = meta.stamp(
        with_meta({**LEAST, "progressToken": 3, LEVEL: "debug", "traceparent": "t"}),
        version="2026-07-28",
        capabilities={"roots": Raw(b"{}")},
        client_info=INFO,
    )
    assert plain(stamped)["_meta"] == {
        "progressToken": 3,
        "traceparent": "t",
        VERSION: "2026-07-28",
        CAPABILITIES: {"roots": {}},
        CLIENT: {"name": "mcpgw", "version": "0"},
    }
    assert meta.parse_meta(stamped) == meta.ModernMeta(
        version="2026-07-28", capabilities={"roots": Raw(b"{}")}, client_info=INFO
    )


def test_a_log_level_is_stamped_where_one_is_wanted() -> None:
    """Without it, a server must not send messages."""
    stamped = meta.stamp(
        {}, version="2026-07-28", capabilities={}, client_info=INFO, log_level="info"
    )
    assert plain(stamped)["_meta"][LEVEL] == "info"


def test_what_only_modern_servers_know_is_taken_off() -> None:
    """Everything else stays; an empty `_meta` goes."""
    assert plain(meta.unstamp(with_meta({**LEAST, "x": 1}))) == {"a": 1, "_meta": {"x": 1}}
    assert plain(meta.unstamp(with_meta(LEAST))) == {"a": 1}
    assert plain(meta.unstamp({"a": Raw(b"1")})) == {"a": 1}


@pytest.mark.parametrize("value", [[], 3, None, "x"])
def test_a_meta_that_is_no_object_is_refused(value: Any) -> None:
    """Rather than replaced."""
    with pytest.raises(InvalidParams):
        meta.stamp(with_meta(value), version="v", capabilities={}, client_info=INFO)
    with pytest.raises(InvalidParams):
        meta.unstamp(with_meta(value))


def test_the_gateway_names_itself_in_results() -> None:
    """The upstream's name is kept, for people."""
    result = raw({"x": 1, "_meta": {"y": 2, SERVER: {"name": "up", "version": "3"}}})
    assert json.loads(bytes(meta.with_server_info(result, INFO))) == {
        "x": 1,
        "_meta": {
            "y": 2,
            "mcpgw/upstream": {"name": "up", "version": "3"},
            SERVER: {"name": "mcpgw", "version": "0"},
        },
    }


def test_naming_twice_changes_nothing() -> None:
    """Also for results that are our own."""
    once = meta.with_server_info(Raw(b"{}"), INFO)
    assert meta.with_server_info(once, INFO) == once
    assert json.loads(bytes(once)) == {"_meta": {SERVER: {"name": "mcpgw", "version": "0"}}}


@pytest.mark.parametrize("said", ["[]", "null", "3"])
def test_a_meta_that_is_no_object_is_none(said: str) -> None:
    """A result is good without; a notification may be tagged there, so that it cannot be told whose it is."""
    members = params.fields(Raw(f'{{"_meta":{said}}}'.encode()))
    assert meta.result_meta(members) == {}
    with pytest.raises(ProtocolFault, match="_meta"):
        meta.checked_meta(members)


@pytest.mark.parametrize("result", [b"[]", b"3", b"{"])
def test_a_result_that_is_none_is_the_servers_fault(result: bytes) -> None:
    """Its call fails, nothing else does."""
    with pytest.raises(ProtocolFault):
        meta.with_server_info(Raw(result), INFO)
