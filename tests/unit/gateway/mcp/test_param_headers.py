"""Which annotations count, and which spoil their tool."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import ProtocolFault
from gateway.limits import MAX_SCHEMA_NODES
from gateway.mcp.param_headers import ParamHeader, param_headers, usable_schema

Raw = msgspec.Raw


def schema(**properties: Any) -> msgspec.Raw:
    """An object's schema with these properties."""
    return Raw(json.dumps({"type": "object", "properties": properties}).encode())


def annotated(name: Any = "A", **members: Any) -> dict[str, Any]:
    """A string's schema with the annotation."""
    return {"type": "string", "x-mcp-header": name, **members}


def test_most_schemas_have_no_annotation() -> None:
    """They are not even read."""
    assert param_headers(schema(a={"type": "string"})) == ()
    assert param_headers(Raw(b"not JSON")) == ()


def test_an_annotation_counts_where_properties_alone_lead_to_it() -> None:
    """At any depth."""
    found = param_headers(schema(a={"type": "object", "properties": {"b": annotated("B")}}))
    assert found == (ParamHeader("Mcp-Param-B", ("a", "b")),)


def test_an_annotation_written_in_escapes_is_found() -> None:
    """JSON allows it, and clients read JSON."""
    text = bytes(schema(a=annotated())).replace(b"x-mcp-header", b"x-mcp-heade\\u0072")
    assert param_headers(Raw(text)) == (ParamHeader("Mcp-Param-A", ("a",)),)


def test_the_name_of_a_property_or_a_piece_of_data_is_no_annotation() -> None:
    """Only schemas are looked at."""
    free = {
        "x-mcp-header": {"type": "string"},
        "a": {"default": {"x-mcp-header": 3}, "enum": [{"x-mcp-header": ""}], "items": True},
        "b": {"dependencies": {"x": ["y"]}, "allOf": 3, "properties": [], "$defs": 1},
    }
    assert param_headers(schema(**free)) == ()


@pytest.mark.parametrize("kind", ["string", "integer", "boolean"])
def test_plain_types_are_mirrored(kind: str) -> None:
    """Those that become one line of text in one way."""
    assert usable_schema(schema(a=annotated(type=kind))) is None


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"a": annotated("")}, "no name of a header"),
        ({"a": annotated("My Region")}, "no name of a header"),
        ({"a": annotated("Region:Primary")}, "no name of a header"),
        ({"a": annotated("Région")}, "no name of a header"),
        ({"a": annotated("Region\t1")}, "no name of a header"),
        ({"a": annotated("Region\n")}, "no name of a header"),
        ({"a": annotated(3)}, "no string"),
        ({"a": annotated(None)}, "no string"),
        ({"a": annotated(type="number")}, "no string, integer or boolean"),
        ({"a": annotated(type="object")}, "no string, integer or boolean"),
        ({"a": annotated(type="array")}, "no string, integer or boolean"),
        ({"a": annotated(type="null")}, "no string, integer or boolean"),
        ({"a": annotated(type=["string", "null"])}, "no string, integer or boolean"),
        ({"a": {"x-mcp-header": "A"}}, "no string, integer or boolean"),
        ({"a": annotated("X"), "b": annotated("X")}, "twice"),
        ({"a": annotated("MyField"), "b": annotated("myfield")}, "twice"),
        ({"a": {"items": annotated()}}, "plain property"),
        ({"a": {"items": [annotated()]}}, "plain property"),
        ({"a": {"anyOf": [annotated(), {"type": "null"}]}}, "plain property"),
        ({"a": {"if": annotated()}}, "plain property"),
        ({"a": {"patternProperties": {"x": annotated()}}}, "plain property"),
        ({"a": {"not": {"properties": {"b": annotated()}}}}, "plain property"),
        ({"a": {"$defs": {"d": annotated()}}}, "plain property"),
    ],
)
def test_an_ill_made_annotation_spoils_the_tool(properties: dict[str, Any], reason: str) -> None:
    """The reason goes to the log."""
    text = usable_schema(schema(**properties))
    assert text is not None
    assert reason in text


def test_the_root_has_no_header() -> None:
    """The arguments as a whole are no plain value."""
    assert "plain property" in str(usable_schema(Raw(json.dumps(annotated()).encode())))


def test_a_schema_that_cannot_be_read_is_at_fault() -> None:
    """Cut off, or nested beyond reading."""
    for text in (b'{"x-mcp-header"', b'{"x-mcp-header":' + b"[" * 99_999):
        with pytest.raises(ProtocolFault, match="cannot be read"):
            param_headers(Raw(text))


def test_a_schema_without_end_is_given_up() -> None:
    """Its size is a stranger's choice."""
    many = schema(a=annotated(), b={"allOf": [{}] * MAX_SCHEMA_NODES})
    assert f"{MAX_SCHEMA_NODES} parts" in str(usable_schema(many))
