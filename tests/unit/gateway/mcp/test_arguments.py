"""What a person mistypes in a tool's arguments is named."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidParams
from gateway.mcp.arguments import check_arguments


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "x"),
        ({"type": "integer"}, 1),
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, False),
        ({"type": ["string", "null"]}, None),
        ({"type": "future"}, object()),
        ({}, 3),
        (True, 3),
        ({"enum": ["a", "b"]}, "a"),
        ({"enum": 3}, "a"),
        ({"type": "array", "items": {"type": "string"}}, ["a"]),
    ],
)
def test_arguments_that_fit_pass(schema: Any, value: Any) -> None:
    """What the schema does not forbid is the server's business."""
    check_arguments({"properties": {"a": schema}, "required": ["a"]}, {"a": value, "free": 1})


@pytest.mark.parametrize(
    ("schema", "value", "named"),
    [
        ({"type": "string"}, 1, "'a' must be a string"),
        ({"type": "integer"}, 1.5, "'a' must be a whole number"),
        ({"type": "integer"}, True, "'a' must be a whole number"),
        ({"type": "boolean"}, 1, "'a' must be true or false"),
        ({"type": ["string", "null"]}, 1, "'a' must be a string or null"),
        ({"enum": ["a", 1]}, "b", "'a' must be one of: a, 1"),
        ({"items": {"type": "string"}}, ["a", 1], r"'a'\[1\] must be a string"),
    ],
)
def test_arguments_that_do_not_fit_are_named(schema: Any, value: Any, named: str) -> None:
    """-32602, in one sentence."""
    with pytest.raises(InvalidParams, match=named):
        check_arguments({"properties": {"a": schema}}, {"a": value})


@pytest.mark.parametrize(
    ("schema", "arguments", "named"),
    [
        ({"required": ["a"]}, {}, "'a' is missing"),
        (
            {"properties": {"b": {}, "a": {}}, "additionalProperties": False},
            {"c": 1},
            "no argument 'c'; known are: a, b",
        ),
        ({"additionalProperties": False}, {"c": 1}, "known are: none"),
    ],
)
def test_arguments_that_are_missing_or_unknown_are_named(
    schema: Any, arguments: Any, named: str
) -> None:
    """With those that there are."""
    with pytest.raises(InvalidParams, match=named):
        check_arguments(schema, arguments)
