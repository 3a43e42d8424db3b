"""What the tools of a `poci` entry show, take and answer: their lists, their arguments, their results. Pure.

Such a tool is one container run per call, without an MCP server in it; what a server would say is made up here. Must not
know how containers run.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway import __version__
from gateway.catalog.model import EnabledServer, PociLaunch, PociTool
from gateway.errors import CatalogError, InvalidParams, UnknownTarget
from gateway.jsonrpc.codec import raw
from gateway.mcp import listing, params, versions
from gateway.mcp.arguments import check_arguments
from gateway.mcp.listing import ServerLists
from gateway.ports import RunOutput

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def launch_of(server: EnabledServer) -> PociLaunch:
    """The launch of a `poci` entry.

    Raises:
        CatalogError: it is of another kind.
    """
    if not isinstance(server.launch, PociLaunch):
        raise CatalogError(f"server {server.name} has no poci tools")
    return server.launch


def lists_of(server: EnabledServer) -> ServerLists:
    """What the entry offers: its tools, with their whole schemas. A tool that clients would refuse is left out."""
    tools = [_listed(tool) for tool in launch_of(server).tools]
    return ServerLists(
        version=versions.LATEST,
        capabilities={"tools": raw({})},
        server_info=raw({"name": server.name, "version": __version__}),
        tools=listing.parse_page("tools", raw({"tools": tools})).items,
    )


def tool_named(launch: PociLaunch, name: str) -> PociTool:
    """The tool of that name.

    Raises:
        UnknownTarget: there is none.
    """
    for tool in launch.tools:
        if tool.name == name:
            return tool
    raise UnknownTarget(f"There is no tool {name!r}.")


def read_arguments(tool: PociTool, arguments: msgspec.Raw | None) -> dict[str, Any]:
    """The arguments of a call, decoded and checked against the tool's schema.

    Raises:
        InvalidParams: they are no object, or one is missing or ill-typed.
    """
    try:
        decoded = {} if arguments is None else _decode_object(arguments)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParams("params.arguments must be an object.") from error
    check_arguments(_decode_object(tool.input_schema), decoded)
    return decoded


def call_result(output: RunOutput) -> msgspec.Raw:
    """A container's output as a CallToolResult; its stderr is shown only where it failed."""
    failed = output.exit_status != 0
    texts = [output.stdout]
    if failed:
        texts += [f"The tool ended with exit status {output.exit_status}.", output.stderr]
    shown = [text for text in texts if text] or [""]
    return raw({"content": [{"type": "text", "text": text} for text in shown], "isError": failed})


def _listed(tool: PociTool) -> msgspec.Raw:
    """A tool as a client sees it in `tools/list`."""
    members = {
        "name": raw(tool.name),
        "description": raw(tool.description),
        "inputSchema": msgspec.Raw(tool.input_schema.encode()),
    }
    if tool.annotations:
        members["annotations"] = msgspec.Raw(tool.annotations.encode())
    return params.pack(members)
