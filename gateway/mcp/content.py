"""Content that older revisions do not have, said with what they have. Must not know eras.

2024-11-05 has no audio, and revisions before 2025-06-18 no resource links; their clients refuse a whole result for one
block that they do not know. Nothing is lost: audio becomes an embedded resource, a link its name and URI.

Source: the schema page of each revision, "CallToolResult", "PromptMessage" and "ContentBlock".
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.mcp.params import Fields, pack
from gateway.mcp.versions import Version


class _Block(msgspec.Struct, rename="camel"):
    """What is read of a block of any type."""

    type: str = ""
    data: str = ""
    mime_type: str = ""
    name: str = ""
    title: str = ""
    uri: str = ""


_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_block = msgspec.json.Decoder(_Block).decode
_encode = msgspec.json.Encoder().encode


def for_version(method: str, result: Mapping[str, msgspec.Raw], version: Version) -> Fields:
    """The result of a call or prompt with only such content as that revision has; what cannot be read stays as it is."""
    if version.audio and version.structured_output:
        return dict(result)
    try:
        if method == "tools/call" and "content" in result:
            blocks = [_said(block, version) for block in _decode_list(result["content"])]
            return {**result, "content": msgspec.Raw(_encode(blocks))}
        if method == "prompts/get" and "messages" in result:
            messages = [_message(one, version) for one in _decode_list(result["messages"])]
            return {**result, "messages": msgspec.Raw(_encode(messages))}
    except (msgspec.DecodeError, RecursionError):
        pass  # ill made: its reader says so better than we could
    return dict(result)


def _message(raw: msgspec.Raw, version: Version) -> msgspec.Raw:
    message = _decode_fields(raw)
    if "content" not in message:
        return raw
    return pack({**message, "content": _said(message["content"], version)})


def _said(raw: msgspec.Raw, version: Version) -> msgspec.Raw:
    """The block in words of that revision."""
    block = _decode_block(raw)
    if block.type == "audio" and not version.audio:
        # Embedded resources have a URI; this one leads nowhere, for the sound is in it.
        resource = {"uri": "urn:mcpgw:audio", "mimeType": block.mime_type, "blob": block.data}
        return msgspec.Raw(_encode({"type": "resource", "resource": resource}))
    if block.type == "resource_link" and not version.structured_output:
        named = block.title or block.name
        text = f"{named}: {block.uri}" if named else block.uri
        return msgspec.Raw(_encode({"type": "text", "text": text}))
    return raw
