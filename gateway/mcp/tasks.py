"""The two forms of a task: the experiment of 2025-11-25 and the extension of the modern era. Must not know who polls.

The experiment nests a new task in its result and fetches its outcome by `tasks/result`; the extension has the task's
fields in the result itself, and its outcome in `tasks/get`.

Source: MCP 2025-11-25, basic, utilities, "Tasks"; SEP-2663.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
_ID: Final = "taskId"
_TASK: Final = "task"
RELATED: Final = "io.modelcontextprotocol/related-task"
"""The key in `_meta` of what belongs to a task of the experiment."""


class _Capability(msgspec.Struct):
    requests: dict[str, msgspec.Raw] = {}


class _Execution(msgspec.Struct, rename="camel"):
    task_support: str = ""


class _Task(msgspec.Struct, rename="camel"):
    task_id: str = ""
    status: str = ""
    ttl: float | None = None
    ttl_ms: float | None = None
    task: _Task | None = None


_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_capability = msgspec.json.Decoder(_Capability).decode
_decode_execution = msgspec.json.Decoder(_Execution).decode
_decode_seen = msgspec.json.Decoder(_Task).decode
_encode = msgspec.json.Encoder().encode


def serves_calls(capabilities: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a legacy server makes tasks of tool calls."""
    try:
        return "tools" in _decode_capability(capabilities["tasks"]).requests
    except (KeyError, msgspec.DecodeError, RecursionError):
        return False


def is_required(tool: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a legacy server's tool can be called as a task only."""
    try:
        return _decode_execution(tool["execution"]).task_support == "required"
    except (KeyError, msgspec.DecodeError, RecursionError):
        return False


class Seen(msgspec.Struct, frozen=True):
    """What a result says of a task, in either form: `ttl_ms` is None for one that is kept for ever."""

    task_id: str
    status: str
    ttl_ms: float | None = None


def seen(result: msgspec.Raw) -> Seen | None:
    """The task that a result hands out or describes; None where there is none."""
    try:
        read = _decode_seen(result)
    except (msgspec.DecodeError, RecursionError):
        return None
    task = read.task or read
    if not task.task_id or not task.status:
        return None
    return Seen(task.task_id, task.status, task.ttl_ms if task.ttl is None else task.ttl)


def renamed(members: Mapping[str, msgspec.Raw], rename: Callable[[str], str]) -> Fields:
    """The fields of a result or of params with each task id said otherwise, wherever such a one may stand."""
    fields = dict(members)
    _rename(fields, _ID, rename)
    for outer, path in ((_TASK, (_ID,)), ("_meta", (RELATED, _ID))):
        if outer in fields:
            fields[outer] = _renamed_within(fields[outer], path, rename)
    return fields


def _renamed_within(
    raw: msgspec.Raw, path: tuple[str, ...], rename: Callable[[str], str]
) -> msgspec.Raw:
    try:
        fields = _decode_fields(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw
    name, *inner = path
    if name not in fields:
        return raw
    if inner:
        fields[name] = _renamed_within(fields[name], tuple(inner), rename)
    else:
        _rename(fields, name, rename)
    return pack(fields)


def _rename(fields: Fields, name: str, rename: Callable[[str], str]) -> None:
    try:
        fields[name] = msgspec.Raw(_encode(rename(_decode_text(fields[name]))))
    except (KeyError, msgspec.DecodeError):
        return  # none there, or no id of any task


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
