"""The two forms of a task: the experiment of 2025-11-25 and the extension of the modern era. Must not know who polls.

The experiment nests a new task in its result and fetches its outcome by `tasks/result`; the extension has the task's
fields in the result itself, and its outcome in `tasks/get`.

Source: MCP 2025-11-25, basic, utilities, "Tasks"; SEP-2663.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.errors import InvalidParams, ProtocolFault
from gateway.mcp import params
from gateway.mcp.params import Fields, pack

EXTENSION: Final = "io.modelcontextprotocol/tasks"
RESULT_TYPE: Final = "task"
TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
"""States that a task does not leave."""

_RENAMED: Final[Mapping[str, str]] = {"ttl": "ttlMs", "pollInterval": "pollIntervalMs"}
"""Fields by their name in the experiment, with that in the extension."""
_ONLY_MODERN: Final = frozenset({"resultType", "result", "error", "inputRequests"})
_decode_fields = msgspec.json.Decoder(Fields).decode


def to_modern(task: Mapping[str, msgspec.Raw]) -> Fields:
    """The fields of a task of the experiment, as the extension names them."""
    return {_RENAMED.get(name, name): value for name, value in task.items()}


def to_legacy(task: Mapping[str, msgspec.Raw]) -> Fields:
    """The fields of a task of the extension, as the experiment names them; its outcome is left out."""
    names = {modern: legacy for legacy, modern in _RENAMED.items()}
    return {
        names.get(name, name): value for name, value in task.items() if name not in _ONLY_MODERN
    }


def created_to_modern(result: Mapping[str, msgspec.Raw]) -> Fields:
    """The result that hands out a task of the experiment, in the form of the extension.

    Raises:
        ProtocolFault: there is no task in it.
    """
    rest = {name: value for name, value in result.items() if name != "task"}
    return {**rest, **to_modern(created(result)), "resultType": msgspec.Raw(b'"task"')}


def created_to_legacy(result: Mapping[str, msgspec.Raw]) -> Fields:
    """The result that hands out a task of the extension, in the form of the experiment."""
    kept = {name: value for name, value in result.items() if name == "_meta"}
    task = {name: value for name, value in to_legacy(result).items() if name != "_meta"}
    return {**kept, "task": pack(task)}


def created(result: Mapping[str, msgspec.Raw]) -> Fields:
    """The task in a result of the experiment that hands one out.

    Raises:
        ProtocolFault: there is none.
    """
    try:
        return _decode_fields(result["task"])
    except (KeyError, msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault("The server handed out a task without saying which.") from error


def with_outcome(task: Mapping[str, msgspec.Raw], outcome: msgspec.Raw) -> Fields:
    """The answer to the extension's `tasks/get` for a task that is completed: its state, and what `tasks/result` gave."""
    return {**to_modern(task), "result": outcome}


def status(task: Mapping[str, msgspec.Raw]) -> str:
    """The task's state.

    Raises:
        ProtocolFault: it has none.
    """
    try:
        return params.text(task, "status")
    except InvalidParams as error:
        raise ProtocolFault("The server described a task without its status.") from error
