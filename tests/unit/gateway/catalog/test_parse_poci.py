"""Tools that are one container run per call."""

from __future__ import annotations

import msgspec

from tests.unit.gateway.catalog.test_parse import entry


def test_poci_schema_is_made_of_arguments_where_parameters_are_missing() -> None:
    """Both ways to describe the input end in one JSON Schema."""
    server = entry(
        "{tools: [{name: a, container: {image: i}, arguments: [{name: q, type: string, desc: what},"
        " {name: n, type: array, items: {type: string}, optional: true}], annotations: {readOnlyHint: true}},"
        " {name: b, container: {image: i}, parameters: {required: [x]}}, {name: not-executable}]}"
    )
    first, second = server.poci
    assert msgspec.json.decode(first.input_schema) == {
        "type": "object",
        "properties": {
            "q": {"type": "string", "description": "what"},
            "n": {"type": "array", "description": "", "items": {"type": "string"}},
        },
        "required": ["q"],
    }
    assert msgspec.json.decode(first.annotations) == {"readOnlyHint": True}
    assert msgspec.json.decode(second.input_schema) == {
        "type": "object",
        "properties": {},
        "required": ["x"],
    }
