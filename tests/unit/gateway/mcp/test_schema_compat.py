"""Schemas in words that every client knows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.mcp.schema_compat import simplified, simplified_tool

Raw = msgspec.Raw


def simple(schema: Any) -> Any:
    """The simplified schema."""
    return json.loads(bytes(simplified(Raw(json.dumps(schema).encode()))))


def of_property(schema: Any, **root: Any) -> Any:
    """The simplified schema of a property of an object."""
    return simple({"type": "object", "properties": {"a": schema}, **root})["properties"].get("a")


def test_references_are_written_out() -> None:
    """What stands beside a reference counts as well."""
    node = {"type": "object", "properties": {"v": {"type": "string"}}, "required": ["v"]}
    written = of_property(
        {"$ref": "#/$defs/node", "description": "d", "properties": {"w": {}}, "required": ["w"]},
        **{"$defs": {"node": node}, "$schema": "https://json-schema.org/draft/2020-12/schema"},
    )
    assert written == {
        "type": "object",
        "properties": {"v": {"type": "string"}, "w": {}},
        "required": ["w", "v"],
        "description": "d",
    }


@pytest.mark.parametrize(
    ("ref", "written"),
    [
        ("#/$defs/a~1b", {"type": "string"}),
        ("#/$defs/a%7E1b", {"type": "string"}),
        ("#/$defs/list/allOf/1", {"type": "integer"}),
        ("#/$defs/list/allOf/2", {}),
        ("#/$defs/list/allOf/x", {}),
        ("#/$defs/list/title/x", {}),
        ("#/$defs/none", {}),
        ("#anchor", {}),
        ("https://example.com/schema", {}),
        ("other.json#/a", {}),
    ],
)
def test_only_references_within_the_schema_are_followed(ref: str, written: Any) -> None:
    """Nothing is fetched; what leads nowhere allows anything."""
    defs = {"a/b": {"type": "string"}, "list": {"title": "t", "allOf": [{}, {"type": "integer"}]}}
    assert of_property({"$ref": ref}, **{"$defs": defs}) == written


def test_what_refers_to_itself_ends() -> None:
    """The second time round, anything is allowed."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    written = of_property({"$ref": "#/$defs/node"}, **{"$defs": {"node": node}})
    assert written == {"type": "object", "properties": {"next": {}}}
    assert of_property({"$ref": "#"}) == {"type": "object", "properties": {"a": {}}}


def test_two_names_of_one_place_end_as_well() -> None:
    """At the greatest depth."""
    defs = {
        "a": {"items": {"$ref": "#/%24defs/b"}},
        "b": {"items": {"$ref": "#/$defs/a"}},
    }
    assert of_property({"$ref": "#/$defs/a"}, **{"$defs": defs})["items"]["items"] == {}
    deep: Any = {"type": "string"}
    for _ in range(200):
        deep = {"items": deep}
    text = bytes(simplified(Raw(json.dumps(deep).encode()))).decode()
    assert "string" not in text


def test_references_that_multiply_are_given_up() -> None:
    """Ten levels of ten are more than anybody reads."""
    defs = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(10)}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs}
    assert simple(schema) == {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        (True, {}),
        ({"const": 3}, {"enum": [3]}),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"allOf": [{"type": "string"}, {"minLength": 1, "type": "integer"}]}, {"type": "string", "minLength": 1}),
        ({"if": {}, "then": {}, "else": {}, "not": {}, "type": "string"}, {"type": "string"}),
        ({"patternProperties": {"x": {}}, "additionalProperties": False}, {}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"additionalProperties": {"const": 1}}, {"additionalProperties": {"enum": [1]}}),
        ({"prefixItems": [{}], "items": False}, {}),
        ({"items": [{}, {}]}, {}),
        ({"items": {"const": 1}}, {"items": {"enum": [1]}}),
        ({"exclusiveMinimum": True, "minimum": 1}, {"minimum": 1}),
        ({"exclusiveMinimum": 1}, {"exclusiveMinimum": 1}),
        ({"enum": [{"$ref": "x"}], "default": {"const": 1}}, {"enum": [{"$ref": "x"}], "default": {"const": 1}}),
        ({"anyOf": [], "allOf": 3, "oneOf": {}, "properties": [], "required": 3}, {"required": 3}),
        ({"type": "string", "x-mcp-header": "A"}, {"type": "string", "x-mcp-header": "A"}),
    ],
)  # fmt: skip
def test_keywords_that_few_know_are_said_with_others_or_dropped(schema: Any, written: Any) -> None:
    """Never is more refused than before."""
    assert of_property(schema) == written


def test_a_property_that_must_not_be_there_is_not_shown() -> None:
    """Clients know no schema that refuses everything."""
    assert simple({"type": "object", "properties": {"a": False}}) == {
        "type": "object",
        "properties": {},
    }


def test_alternatives_of_the_whole_object_are_united() -> None:
    """Clients want plain properties at the root."""
    written = simple(
        {
            "type": "object",
            "properties": {"both": {"type": "string"}},
            "required": ["both", 3],
            "oneOf": [
                {
                    "properties": {"a": {"type": "string"}, "both": {"type": "null"}},
                    "required": ["a", "x"],
                },
                {"properties": {"a": {"type": "integer"}, "b": True}, "required": ["a"]},
                {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            ],
        }
    )
    assert written == {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "both": {"type": "string"},
            "b": {},
        },
        "required": ["both", "a"],
    }


def test_alternatives_that_only_require_are_dropped() -> None:
    """There is nothing else to unite."""
    schema = {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert simple(schema) == {"type": "object"}


def test_a_schema_of_something_else_keeps_its_alternatives() -> None:
    """Outputs may be anything."""
    assert simple({"oneOf": [{"type": "string"}]}) == {"anyOf": [{"type": "string"}]}


@pytest.mark.parametrize("text", [b"true", b"[", b'{"maximum":1e999}', b"[" * 99_999])
def test_what_is_no_schema_that_can_be_read_stays(text: bytes) -> None:
    """It is for its reader to refuse."""
    assert bytes(simplified(Raw(text))) == text


def test_a_tool_is_shown_with_simple_schemas() -> None:
    """Both of them; what is no object's is no output schema to those who need this."""
    wanted = {"type": "object", "$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a"}}}  # fmt: skip
    plain = {"type": "object", "properties": {"x": {"type": "string"}}}
    fields = {"name": Raw(b'"t"'), "inputSchema": Raw(json.dumps(wanted).encode())}
    shown = simplified_tool({**fields, "outputSchema": fields["inputSchema"]})
    assert json.loads(bytes(shown["inputSchema"])) == plain
    assert json.loads(bytes(shown["outputSchema"])) == plain
    for other in (b'{"type":"array"}', b"true", b'{"$ref":"#/nowhere"}'):
        assert "outputSchema" not in simplified_tool({**fields, "outputSchema": Raw(other)})
    assert simplified_tool({"name": fields["name"]}) == {"name": fields["name"]}
