"""Reads the tools of `poci` entries: tools that are one container run per call. Must not touch files or the network."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.catalog import fields as get
from gateway.catalog.document import plain_value
from gateway.catalog.fields import Fields
from gateway.catalog.model import PociTool
from gateway.errors import CatalogError


def is_poci(value: Fields) -> bool:
    """Whether a tool of the entry says how to run it."""
    tools = value.get("tools")
    return isinstance(tools, list) and any(
        isinstance(tool, dict) and isinstance(tool.get("container"), dict) for tool in tools
    )


def poci_tools(value: Fields) -> tuple[PociTool, ...]:
    """The executable tools of an entry; tools without a container are left out.

    Raises:
        CatalogError: a tool has no name or no usable image.
    """
    return tuple(_tool(tool) for tool in get.tables(value, "tools") if tool.get("container"))


def _tool(tool: Fields) -> PociTool:
    name = get.text(tool, "name")
    container = get.table(tool, "container")
    image = get.text(container, "image")
    if not name:
        raise CatalogError("an item of `tools` has no `name`")
    if not image or image.startswith("-") or any(character.isspace() for character in image):
        raise CatalogError(f"the tool {name!r} has no usable `container.image`")
    annotations = plain_value(get.table(tool, "annotations"))
    return PociTool(
        name=name,
        description=get.text(tool, "description"),
        input_schema=msgspec.json.encode(_input_schema(tool)).decode(),
        image=image,
        command=get.texts(container, "command"),
        volumes=get.texts(container, "volumes"),
        user=get.text(container, "user"),
        annotations=msgspec.json.encode(annotations).decode() if annotations else "",
    )


def _input_schema(tool: Fields) -> dict[str, Any]:
    """`parameters` as it stands, else a schema made of `arguments`."""
    parameters: dict[str, Any] = plain_value(get.table(tool, "parameters"))
    if parameters:
        schema = {"type": "object", "properties": {}, **parameters}
        return {key: item for key, item in schema.items() if item is not None}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for argument in get.tables(tool, "arguments"):
        name = get.text(argument, "name")
        properties[name] = {
            "type": get.text(argument, "type", "string"),
            "description": get.text(argument, "desc") or get.text(argument, "description"),
        }
        if items := plain_value(get.table(argument, "items")):
            properties[name]["items"] = items
        if not get.flag(argument, "optional"):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required}
