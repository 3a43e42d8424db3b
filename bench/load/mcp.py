"""The messages that the load clients send, and how they know an answer. Must not know how messages travel.

Answers are looked at, not parsed: the client's CPU is taken from the cores that are measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from bench.errors import Broken

PROTOCOL: Final = "2025-06-18"
TEXT: Final = b"sixty-four bytes of text that the server sends back as they came"
INITIALIZED: Final = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
CANCELLED: Final = (
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"no such"}}'
)
"""Changes nothing, and is accepted."""
_SHOWN_BYTES: Final = 300
_LISTED_S: Final = 30.0
_POLL_S: Final = 0.2


def initialize(request_id: int) -> bytes:
    """The first request of a session."""
    return msgspec.json.encode(
        {
            "jsonrpc": "2.0",
            "id": request_id,
            "method": "initialize",
            "params": {
                "protocolVersion": PROTOCOL,
                "capabilities": {},
                "clientInfo": {"name": "bench", "version": "1"},
            },
        }
    )


def list_tools(request_id: int) -> bytes:
    """Asks for the tools."""
    return b'{"jsonrpc":"2.0","id":%d,"method":"tools/list"}' % request_id


def call_echo(request_id: int, tool: bytes) -> bytes:
    """Calls the tool that sends `TEXT` back: 170 bytes or so."""
    return call_tool(request_id, tool, b'{"text":"%b"}' % TEXT)


def call_tool(request_id: int, tool: bytes, arguments: bytes) -> bytes:
    """Calls a tool; its arguments are JSON."""
    return (
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":'
        b'{"name":"%b","arguments":%b}}' % (request_id, tool, arguments)
    )


def is_answer(message: bytes) -> bool:
    """Whether a message answers a call; notifications are passed over.

    Raises:
        Broken: it answers with something else than the text.
    """
    if TEXT in message:
        return True
    if b'"method"' in message:
        return False
    raise Broken(f"a call was answered with {message[:_SHOWN_BYTES].decode(errors='replace')}")


def tool_names(message: bytes) -> list[str]:
    """The names in an answer to `tools/list`."""
    return [tool["name"] for tool in result(message).get("tools", ())]


def echo_tool(tools: Callable[[], bytes], patience_s: float = _LISTED_S) -> bytes:
    """The echo tool's name as a gateway shows it: some put the server's before it.

    Args:
        tools: gives an answer to `tools/list`; asked again while the tool is not there, because a gateway that has never
            seen its servers may answer before they do.
        patience_s: how long.

    Raises:
        Broken: it does not come.
    """
    deadline = time.monotonic() + patience_s
    while True:
        names = tool_names(tools())
        for name in sorted(names, key=len):
            if name.endswith("echo"):
                return name.encode()
        if time.monotonic() > deadline:
            raise Broken(f"the echo tool is not among the {len(names)} tools")
        time.sleep(_POLL_S)


def result(message: bytes) -> dict[str, Any]:
    """The result in an answer.

    Raises:
        Broken: it is an error, or no JSON.
    """
    try:
        return msgspec.json.decode(message, type=dict[str, Any])["result"]  # type: ignore[no-any-return] # JSON
    except (msgspec.DecodeError, KeyError) as error:
        shown = message[:_SHOWN_BYTES].decode(errors="replace")
        raise Broken(f"a request was answered with {shown}") from error
