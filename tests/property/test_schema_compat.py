"""A simplified schema takes whatever the schema took, and holds no word that clients choke on."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.mcp.schema_compat import simplified
from tests.property.strategies import json_values, written

names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "xyz"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
types = st.sampled_from(["null", "boolean", "integer", "string", "array", "object"])
refs = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/allOf/0", "elsewhere"])
schemas = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({"$ref": refs})
    | st.fixed_dictionaries({"type": types})
    | st.fixed_dictionaries({"const": values})
    | st.fixed_dictionaries({"enum": st.lists(values, min_size=1, max_size=3)})
    | st.fixed_dictionaries({"required": st.lists(names, max_size=2)}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": types,
            "$ref": refs,
            "required": st.lists(names, max_size=2),
            "properties": st.dictionaries(names, inner, max_size=3),
            "patternProperties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=1),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    ),
    max_leaves=10,
)
roots = st.builds(
    lambda root, defs: {**(root if isinstance(root, dict) else {}), "$defs": defs},
    schemas,
    st.dictionaries(names, schemas, max_size=2),
)


class Endless(Exception):
    """A schema that refers to itself without end says nothing."""


def takes(root: Any, schema: Any, value: Any, depth: int = 0) -> bool:
    """Whether the schema takes the value: as much of JSON Schema 2020-12 as these tests write."""
    if depth > 30:
        raise Endless
    if isinstance(schema, bool):
        return schema
    checks = {
        "type": lambda x: is_a(value, x),
        "const": lambda x: same(x, value),
        "enum": lambda x: any(same(one, value) for one in x),
        "required": lambda x: not isinstance(value, dict) or set(x) <= set(value),
        "allOf": lambda x: all(takes(root, one, value, depth + 1) for one in x),
        "anyOf": lambda x: any(takes(root, one, value, depth + 1) for one in x),
        "oneOf": lambda x: sum([takes(root, one, value, depth + 1) for one in x]) == 1,
        "not": lambda x: not takes(root, x, value, depth + 1),
        "$ref": lambda x: takes(root, target(root, x), value, depth + 1),
    }
    if not all(check(schema[word]) for word, check in checks.items() if word in schema):
        return False
    return all(takes(root, one, part, depth + 1) for one, part in parts(schema, value))


def parts(schema: Any, value: Any) -> list[tuple[Any, Any]]:
    """What the schema says of the parts of a value."""
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        rest = [(schema.get("items", True), part) for part in value[len(prefix) :]]
        return [*zip(prefix, value, strict=False), *rest]
    if not isinstance(value, dict):
        return []
    found: list[tuple[Any, Any]] = []
    for name, part in value.items():
        said = [
            *([schema["properties"][name]] if name in schema.get("properties", {}) else []),
            *(
                one
                for pattern, one in schema.get("patternProperties", {}).items()
                if pattern in name
            ),
        ]
        found += [(one, part) for one in said or [schema.get("additionalProperties", True)]]
    return found


def target(root: Any, ref: str) -> Any:
    """What a reference leads to; anything is allowed where it leads nowhere."""
    found = root
    for step in ref.removeprefix("#").split("/")[1:] if ref.startswith("#") else ["?"]:
        if isinstance(found, list):
            found = found[int(step)] if int(step) < len(found) else True
        else:
            found = found.get(step, True) if isinstance(found, dict) else True
    return found


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values: `true` is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def is_a(value: Any, name: str) -> bool:
    """Whether a value has that type."""
    kinds: dict[str, type] = {
        "null": type(None), "boolean": bool, "string": str, "array": list, "object": dict
    }  # fmt: skip
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kinds[name])


def simple(schema: Any) -> Any:
    """The simplified schema."""
    return json.loads(bytes(simplified(msgspec.Raw(json.dumps(schema).encode()))))


def words(schema: Any) -> set[str]:
    """All keywords of a schema."""
    if not isinstance(schema, dict):
        return set()
    inner = [
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", ()),
        schema.get("items"),
        schema.get("additionalProperties"),
    ]
    return set(schema).union(*map(words, inner))


@given(roots, values)
def test_what_was_taken_is_taken_still(root: Any, value: Any) -> None:
    """But for a root's alternatives, which are united."""
    root = {**root, "type": "array"} if root.get("type") == "object" else root
    written_out = simple(root)
    try:
        taken = takes(root, root, value)
    except Endless:
        return
    if taken:
        assert takes(written_out, written_out, value)


@given(roots)
def test_no_reference_is_left(root: Any) -> None:
    """Nor any other word that few clients know."""
    left = words(simple({**root, "type": "object"}))
    assert left <= {
        "type",
        "properties",
        "required",
        "enum",
        "anyOf",
        "items",
        "additionalProperties",
    }


@given(roots)
def test_simplifying_twice_changes_nothing(root: Any) -> None:
    """There is nothing left to do."""
    once = simple(root)
    assert simple(once) == once


@given(written(json_values))
def test_any_json_is_written_out_or_left_alone(text: bytes) -> None:
    """Servers make up schemas as they like."""
    json.loads(bytes(simplified(msgspec.Raw(text))))
