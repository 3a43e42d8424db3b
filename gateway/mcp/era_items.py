"""Lists crossing eras, item by item. Must not know who asks for them.

Source: MCP 2026-07-28, changelog (schemas of any kind since SEP-2106, no `execution`); the schema pages, "Tool".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import structs

from gateway.mcp.listing import Item, Kind, ServerLists
from gateway.mcp.params import Fields, pack
from gateway.mcp.spoken import era_of
from gateway.mcp.versions import Era

_OBJECT: Final = b'"object"'
_BOOLEAN_SCHEMAS: Final = {b"true": msgspec.Raw(b"{}"), b"false": msgspec.Raw(b'{"not":{}}')}
"""Legacy revisions want an object for each property; these say the same."""

_decode_fields = msgspec.json.Decoder(Fields).decode


def lists_for(era: Era, lists: ServerLists) -> ServerLists:
    """All lists of a server as clients of that era see them; as they are where the server showed them in it."""
    if era_of(lists.version) == era:
        return lists
    convert = to_modern if era == "modern" else to_legacy
    return structs.replace(
        lists,
        tools=tuple(convert("tools", item) for item in lists.tools),
        prompts=tuple(convert("prompts", item) for item in lists.prompts),
        resources=tuple(convert("resources", item) for item in lists.resources),
        templates=tuple(convert("templates", item) for item in lists.templates),
    )


def to_modern(kind: Kind, item: Item) -> Item:
    """The item as modern clients see it: tasks are the server's choice, and no property of a tool."""
    if kind != "tools" or "execution" not in item.fields:
        return item
    return Item(item.key, {k: v for k, v in item.fields.items() if k != "execution"})


def to_legacy(kind: Kind, item: Item) -> Item:
    """The item as legacy clients see it: an output schema describes an object, and a property has a schema that is one."""
    if kind != "tools":
        return item
    fields = dict(item.fields)
    for name in ("inputSchema", "outputSchema"):
        if name in fields:
            schema = _legacy_schema(fields[name])
            if schema is not None:
                fields[name] = schema
            elif name == "outputSchema":
                del fields[name]
    return Item(item.key, fields)


def _legacy_schema(raw: msgspec.Raw) -> msgspec.Raw | None:
    """The schema of an object as legacy revisions have it; None where it is another's."""
    try:
        schema = _decode_fields(raw)
        if bytes(schema.get("type", b"")) != _OBJECT:
            return None
        properties = _decode_fields(schema["properties"]) if "properties" in schema else {}
    except (msgspec.DecodeError, RecursionError):
        return None
    spoken = {name: _BOOLEAN_SCHEMAS.get(bytes(one), one) for name, one in properties.items()}
    if spoken == properties:
        return raw  # byte for byte
    return pack({**schema, "properties": pack(spoken)})
