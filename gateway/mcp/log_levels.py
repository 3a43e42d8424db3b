"""Log levels as the protocol names them, in order. Pure."""

from __future__ import annotations

from typing import Final

from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Message, Notification
from gateway.mcp import params

LOG_LEVELS: Final = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)
"""Source: MCP 2025-11-25, server/utilities/logging, "Log Levels"."""


def is_wanted(message: Message, level: str) -> bool:
    """Whether a client that asked for `level` ("" for none) wants the message. Only log lines can be unwanted."""
    if (
        not level
        or not isinstance(message, Notification)
        or message.method != "notifications/message"
    ):
        return True
    try:
        said = params.text(params.fields(message.params), "level")
        return LOG_LEVELS.index(said) >= LOG_LEVELS.index(level)
    except (GatewayError, ValueError):
        return True
