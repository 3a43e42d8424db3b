"""Tools crossing eras."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.mcp import era_items, params
from gateway.mcp.listing import Item

Raw = msgspec.Raw


def tool(**members: Any) -> Item:
    """A tool."""
    return Item("t", params.fields(Raw(json.dumps({"name": "t", **members}).encode())))


def plain(item: Item) -> Any:
    """The item as plain values."""
    return json.loads(bytes(params.pack(item.fields)))


def test_tasks_are_no_property_of_a_modern_tool() -> None:
    """All else stays."""
    seen = era_items.to_modern("tools", tool(execution={"taskSupport": "optional"}, title="T"))
    assert plain(seen) == {"name": "t", "title": "T"}


def test_what_needs_no_change_is_not_changed() -> None:
    """Byte for byte."""
    item = tool(inputSchema={"type": "object", "properties": {"a": {"type": "string"}}})
    assert era_items.to_modern("tools", item) is item
    assert era_items.to_legacy("tools", item) == item
    other = Item("p", params.fields(Raw(b'{"name":"p","execution":{},"outputSchema":3}')))
    assert era_items.to_modern("prompts", other) is other
    assert era_items.to_legacy("prompts", other) is other


@pytest.mark.parametrize(
    "schema", [{"type": "array"}, {"anyOf": [{"type": "object"}]}, {"type": ["object"]}, True, 3]
)
def test_only_objects_have_an_output_schema_for_legacy_clients(schema: Any) -> None:
    """Their structured content is not sent either."""
    assert plain(era_items.to_legacy("tools", tool(outputSchema=schema))) == {"name": "t"}


def test_an_output_schema_of_an_object_stays() -> None:
    """As every revision that has them wants it."""
    item = tool(outputSchema={"type": "object"})
    assert era_items.to_legacy("tools", item) == item


def test_properties_that_allow_all_or_nothing_are_said_as_objects() -> None:
    """Legacy revisions know no other schemas."""
    schema = {"type": "object", "properties": {"a": True, "b": False, "c": {"type": "string"}}}
    seen = era_items.to_legacy("tools", tool(inputSchema=schema, outputSchema=schema))
    said = {"type": "object", "properties": {"a": {}, "b": {"not": {}}, "c": {"type": "string"}}}
    assert plain(seen) == {"name": "t", "inputSchema": said, "outputSchema": said}


def test_an_input_schema_that_is_odd_stays() -> None:
    """Without it there would be no tool."""
    item = tool(inputSchema={"type": "object", "properties": 3})
    assert era_items.to_legacy("tools", item) == item
