"""Content that older revisions do not have, in their words."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.mcp import content, params, versions

Raw = msgspec.Raw

AUDIO = {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}
LINK = {"type": "resource_link", "name": "n", "uri": "file:///a"}
TEXT = {"type": "text", "text": "t"}
EMBEDDED = {
    "type": "resource",
    "resource": {"uri": "urn:mcpgw:audio", "mimeType": "audio/wav", "blob": "AAAA"},
}


def said(method: str, result: Any, version: str) -> Any:
    """The result as a client of that revision gets it."""
    row = versions.find(version)
    assert row is not None
    members = params.fields(Raw(json.dumps(result).encode()))
    return json.loads(bytes(params.pack(content.for_version(method, members, row))))


@pytest.mark.parametrize(
    ("version", "blocks"),
    [
        ("2025-11-25", [AUDIO, LINK, TEXT]),
        ("2025-06-18", [AUDIO, LINK, TEXT]),
        ("2025-03-26", [AUDIO, {"type": "text", "text": "n: file:///a"}, TEXT]),
        ("2024-11-05", [EMBEDDED, {"type": "text", "text": "n: file:///a"}, TEXT]),
    ],
)
def test_blocks_that_a_revision_lacks_are_said_with_others(version: str, blocks: Any) -> None:
    """In calls and prompts; nothing is lost."""
    call = {"content": [AUDIO, LINK, TEXT], "isError": False}
    assert said("tools/call", call, version) == {"content": blocks, "isError": False}
    messages = [{"role": "user", "content": one} for one in (AUDIO, LINK, TEXT)]
    assert said("prompts/get", {"messages": messages}, version) == {
        "messages": [{"role": "user", "content": one} for one in blocks]
    }


def test_a_link_is_called_by_its_title() -> None:
    """Or by nothing at all."""
    for link, text in (
        ({**LINK, "title": "T"}, "T: file:///a"),
        ({"type": "resource_link", "uri": "u"}, "u"),
    ):
        (block,) = said("tools/call", {"content": [link]}, "2024-11-05")["content"]
        assert block == {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("tools/call", {}),
        ("tools/call", {"content": 3}),
        ("tools/call", {"content": [3]}),
        ("tools/call", {"content": [{"type": 3}]}),
        ("prompts/get", {}),
        ("prompts/get", {"messages": [3]}),
        ("prompts/get", {"messages": [{"role": "user"}]}),
        ("resources/read", {"contents": [AUDIO]}),
    ],
)
def test_what_cannot_be_read_stays(method: str, result: Any) -> None:
    """The client says what is wrong with it."""
    assert said(method, result, "2024-11-05") == result
