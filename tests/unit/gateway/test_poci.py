"""What `poci` tools show, take and answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway import poci
from gateway.catalog.model import PociLaunch, PociTool
from gateway.errors import CatalogError, InvalidParams, UnknownTarget
from gateway.mcp.arguments import check_arguments
from gateway.ports import RunOutput
from tests.fakes.house import enabled

SCHEMA = (
    '{"type":"object","properties":{"url":{"type":"string","format":"uri"}},"required":["url"]}'
)
CURL = PociTool(
    "curl",
    "Fetches a page",
    SCHEMA,
    image="curl",
    command=("-s", "{{url}}"),
    annotations='{"readOnlyHint":true}',
)
LAUNCH = PociLaunch(tools=(CURL,), memory_bytes=1, cpus=1.0, pids=1)


def test_a_tool_is_listed_with_its_whole_schema() -> None:
    """Docker's gateway shows an empty one."""
    server = msgspec.structs.replace(enabled("web"), launch=LAUNCH)
    (item,) = poci.lists_of(server).tools
    assert item.key == "curl"
    assert msgspec.json.decode(item.fields["inputSchema"]) == msgspec.json.decode(SCHEMA)
    assert msgspec.json.decode(item.fields["annotations"]) == {"readOnlyHint": True}
    assert msgspec.json.decode(item.fields["description"]) == "Fetches a page"


def test_another_kind_of_entry_is_refused() -> None:
    """A mistake of the caller, said in a sentence."""
    with pytest.raises(CatalogError, match="has no poci tools"):
        poci.launch_of(enabled("web"))


def test_an_unknown_tool_is_named() -> None:
    """So that a model can correct itself."""
    assert poci.tool_named(LAUNCH, "curl") is CURL
    with pytest.raises(UnknownTarget, match="'wget'"):
        poci.tool_named(LAUNCH, "wget")


def test_arguments_are_decoded_and_checked() -> None:
    """Against the tool's own schema."""
    assert poci.read_arguments(CURL, msgspec.Raw(b'{"url":"-x","more":1}')) == {
        "url": "-x",
        "more": 1,
    }
    with pytest.raises(InvalidParams, match="'url' is missing"):
        poci.read_arguments(CURL, None)
    with pytest.raises(InvalidParams, match="must be an object"):
        poci.read_arguments(CURL, msgspec.Raw(b"[]"))


@pytest.mark.parametrize(
    ("schema", "arguments", "complaint"),
    [
        ({}, {"a": 1}, None),
        ({"properties": {"a": {"type": "string"}}}, {"a": "x"}, None),
        ({"properties": {"a": {"type": "string"}}}, {"a": 1}, "'a' must be a string"),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1.0}, None),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1.5}, "'a' must be a whole number"),
        ({"properties": {"a": {"type": "integer"}}}, {"a": True}, "'a' must be a whole number"),
        ({"properties": {"a": {"type": "number"}}}, {"a": 3}, None),
        ({"properties": {"a": {"type": "boolean"}}}, {"a": False}, None),
        ({"properties": {"a": {"type": "boolean"}}}, {"a": 0}, "'a' must be true or false"),
        ({"properties": {"a": {"type": ["string", "null"]}}}, {"a": None}, None),
        ({"properties": {"a": {"type": ["string", "null"]}}}, {"a": 1}, "a string or null"),
        ({"properties": {"a": {"type": "file"}}}, {"a": 1}, None),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "z"}, "'a' must be one of: x, y"),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "y"}, None),
        (
            {"properties": {"a": {"type": "array", "items": {"type": "string"}}}},
            {"a": ["x", 1]},
            r"'a'\[1\] must be a string",
        ),
        ({"properties": {"a": {"type": "array"}}}, {"a": ["x", 1]}, None),
        ({"properties": {"a": {"type": "object"}}}, {"a": []}, "'a' must be an object"),
        ({"required": ["a", 1]}, {}, "'a' is missing"),
        ({"required": "a"}, {"b": 1}, "'a' is missing"),
        ({"additionalProperties": False}, {"b": 1}, "no argument 'b'; known are: none"),
        ({"properties": [], "required": {}, "type": 1}, {"b": 1}, None),
    ],
)
def test_what_is_complained_about(
    schema: dict[str, Any], arguments: dict[str, Any], complaint: str | None
) -> None:
    """The first wrong argument, by its name; odd schemas forbid nothing."""
    if complaint is None:
        check_arguments(schema, arguments)
    else:
        with pytest.raises(InvalidParams, match=complaint):
            check_arguments(schema, arguments)


@pytest.mark.parametrize(
    ("output", "texts", "is_error"),
    [
        (RunOutput(0, "hi\n", "warning"), ["hi\n"], False),
        (RunOutput(0, "", ""), [""], False),
        (
            RunOutput(3, "half", "no such host"),
            ["half", "The tool ended with exit status 3.", "no such host"],
            True,
        ),
        (RunOutput(1, "", ""), ["The tool ended with exit status 1."], True),
    ],
)
def test_output_becomes_a_result(output: RunOutput, texts: list[str], *, is_error: bool) -> None:
    """Standard output is the answer; where the tool failed, everything it said."""
    result = msgspec.json.decode(poci.call_result(output))
    assert [content["text"] for content in result["content"]] == texts
    assert {content["type"] for content in result["content"]} == {"text"}
    assert result["isError"] is is_error
