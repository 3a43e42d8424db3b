"""Whatever a server says, no side is told what only the other one understands."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProtocolFault
from gateway.jsonrpc.messages import Failure
from gateway.mcp import discover, era, era_items, listing, meta, params
from gateway.mcp.versions import LEGACY
from tests.property.strategies import json_objects, json_values, raw_values

Raw = msgspec.Raw

INFO = Raw(b'{"name":"mcpgw","version":"0"}')
methods = st.sampled_from([*sorted(era.CACHEABLE), "tools/call", "prompts/get"])
versions = st.sampled_from(LEGACY)
odd = json_values | json_objects
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "audio", "resource_link", "image"])},
    optional={"text": st.text(), "uri": st.text(), "data": st.text(), "mimeType": odd, "name": odd},
)
metas = st.fixed_dictionaries({}, optional={meta.SERVER_INFO: odd, "x": odd}) | odd
results = st.fixed_dictionaries(
    {},
    optional={
        "resultType": st.sampled_from(["complete", "input_required", "task", "future"]) | odd,
        "ttlMs": st.integers() | st.floats(allow_nan=False, allow_infinity=False) | odd,
        "cacheScope": st.sampled_from(["public", "private"]) | odd,
        "content": st.lists(blocks | odd, max_size=3) | odd,
        "contents": st.lists(odd, max_size=2) | odd,
        "messages": st.lists(st.fixed_dictionaries({"content": blocks}) | odd, max_size=2) | odd,
        "structuredContent": odd,
        "_meta": metas,
        "free": odd,
    },
)


def raw(value: object) -> msgspec.Raw:
    """A value as JSON text."""
    return Raw(json.dumps(value).encode())


def value_of(text: msgspec.Raw) -> Any:
    """The plain value."""
    return json.loads(bytes(text))


@given(methods, results)
def test_a_modern_client_gets_a_modern_result_or_none(method: str, result: Any) -> None:
    """With everything that its revision asks for, and everything that is the server's own."""
    try:
        once = era.result_to_modern(method, raw(result), server_info=INFO)
    except ProtocolFault:
        return
    said = value_of(once)
    assert said["resultType"] in {"complete", "input_required"}
    assert said["_meta"][meta.SERVER_INFO] == value_of(INFO)
    assert said.get("free") == result.get("free")
    if method in era.CACHEABLE and said["resultType"] == "complete":
        assert said["ttlMs"] >= 0
        assert said["cacheScope"] in {"public", "private"}
    assert era.result_to_modern(method, once, server_info=INFO) == once


@given(methods, results, versions)
def test_a_legacy_client_gets_nothing_modern(method: str, result: Any, version: str) -> None:
    """And everything else that is the server's own."""
    try:
        once = era.result_to_legacy(method, raw(result), version=version)
    except ProtocolFault:
        return
    said = value_of(once)
    assert "resultType" not in said
    assert meta.SERVER_INFO not in said.get("_meta", {})
    assert method not in era.CACHEABLE or not {"ttlMs", "cacheScope"} & set(said)
    assert method != "tools/call" or isinstance(said.get("structuredContent", {}), dict)
    assert said.get("free") == result.get("free")
    assert era.result_to_legacy(method, once, version=version) == once


@given(st.sampled_from(["tools/call", "prompts/get", "tools/list"]), json_objects, versions)
def test_a_result_that_both_eras_have_comes_back(
    method: str, free: dict[str, object], version: str
) -> None:
    """Through a modern leg and a legacy one."""
    both = {"content": [], "messages": [], "free": free}
    there = era.result_to_modern(method, raw(both), server_info=INFO)
    back = era.result_to_legacy(method, there, version=version)
    assert value_of(back) == both


codes = st.integers(-32110, -31990) | st.integers(-(2**40), 2**40)
failures = st.builds(
    Failure, st.integers(), codes, st.text(), st.none() | raw_values | json_objects.map(raw)
)


@given(failures, st.none() | st.text())
def test_a_modern_client_is_told_codes_of_its_revision(failure: Failure, uri: str | None) -> None:
    """Reserved ones only with their meaning, and none that are gone."""
    told = era.failure_to_modern(failure, uri=uri)
    reserved = -32099 <= told.code <= -32020
    assert told.code not in {-32002, -32042}
    assert not reserved or told.code == discover.MISSING_CAPABILITY
    assert not reserved or isinstance(value_of(told.data or Raw(b""))["requiredCapabilities"], dict)
    assert (told.id, told.message) == (failure.id, failure.message)
    assert era.failure_to_modern(told, uri=uri) == told


@given(failures, methods)
def test_a_legacy_client_is_told_no_modern_codes(failure: Failure, method: str) -> None:
    """The text says what happened."""
    told = era.failure_to_legacy(failure, method)
    assert not -32099 <= told.code <= -32020
    assert (told.id, told.message) == (failure.id, failure.message)


schemas = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["object", "array"]) | odd, "properties": odd, "x": odd}
)


@given(st.fixed_dictionaries({"name": st.just("t")}, optional={
    "inputSchema": schemas | odd, "outputSchema": schemas | odd, "execution": odd, "x": odd
}))  # fmt: skip
def test_tools_are_shown_as_each_era_has_them(tool: Any) -> None:
    """Those that can be shown at all."""
    for item in listing.parse_page("tools", raw({"tools": [tool]})).items:
        modern = value_of(params.pack(era_items.to_modern("tools", item).fields))
        assert "execution" not in modern
        legacy = value_of(params.pack(era_items.to_legacy("tools", item).fields))
        assert legacy["inputSchema"]["type"] == "object"
        assert legacy.get("outputSchema", {"type": "object"})["type"] == "object"
        assert legacy.get("x") == modern.get("x") == item_value(item, "x")


def item_value(item: listing.Item, name: str) -> Any:
    """A field of an item."""
    return value_of(item.fields[name]) if name in item.fields else None
