"""The tasks of one running server that are not known to be over: it works on, though it owes no answer. Pure but for the clock.

Source: MCP 2025-11-25, basic, utilities, "Tasks".
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import trio

from actors.call import Answer, Call
from gateway import limits
from gateway.jsonrpc.messages import Failure
from gateway.mcp import tasks

_decode_text = msgspec.json.Decoder(str).decode


class OpenTasks:
    """Tasks by their ids, and until when each is waited for."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._until)

    def __iter__(self) -> Iterator[float]:
        """Until when each is waited for, on trio's clock."""
        return iter(self._until.values())

    def see(self, call: Call, answer: Answer) -> bool:
        """Learns from the answer to a call that may tell of a task; gives whether one is over."""
        told = None if isinstance(answer, Failure) else tasks.seen(answer)
        if told is not None and told.status not in tasks.TERMINAL:
            ttl_s = limits.TASK_CAP_S if told.ttl_ms is None else told.ttl_ms / 1000
            self._until[told.task_id] = trio.current_time() + min(ttl_s, limits.TASK_CAP_S)
            return False
        if call.method == "tasks/result" or told is not None:
            over = told.task_id if told is not None else _text(call.fields.get("taskId"))
            self._until.pop(over, None)
            return True
        return False


def _text(raw: msgspec.Raw | None) -> str:
    try:
        return _decode_text(raw or b'""')
    except msgspec.DecodeError:
        return ""
