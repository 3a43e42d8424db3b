"""The two forms of a task."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import ProtocolFault
from gateway.mcp import params, tasks

Raw = msgspec.Raw

OLD = {"taskId": "t", "status": "working", "ttl": 5, "pollInterval": 1, "x": 1}
NEW = {"taskId": "t", "status": "working", "ttlMs": 5, "pollIntervalMs": 1, "x": 1}


def fields(value: Any) -> params.Fields:
    """A value's fields."""
    return params.fields(Raw(json.dumps(value).encode()))


def plain(members: params.Fields) -> Any:
    """Fields as plain values."""
    return json.loads(bytes(params.pack(members)))


def test_a_task_is_renamed_and_comes_back() -> None:
    """Its outcome stays in its own era."""
    assert plain(tasks.to_modern(fields(OLD))) == NEW
    assert plain(tasks.to_legacy(fields(NEW))) == OLD
    done = {**NEW, "result": {}, "error": {}, "inputRequests": {}, "resultType": "complete"}
    assert plain(tasks.to_legacy(fields(done))) == OLD


def test_a_new_task_stands_in_its_result_or_is_it() -> None:
    """The experiment nests it."""
    meta = {"_meta": {"y": 1}}
    modern = {**meta, **NEW, "resultType": "task"}
    assert plain(tasks.created_to_modern(fields({**meta, "task": OLD}))) == modern
    assert plain(tasks.created_to_legacy(fields(modern))) == {**meta, "task": OLD}
    assert plain(tasks.created_to_legacy(fields(NEW))) == {"task": OLD}


@pytest.mark.parametrize("result", [{}, {"task": 3}])
def test_a_result_without_task_is_the_servers_fault(result: Any) -> None:
    """There is nothing to poll."""
    with pytest.raises(ProtocolFault, match="handed out a task"):
        tasks.created_to_modern(fields(result))


def test_an_outcome_comes_with_the_state() -> None:
    """As the extension's `tasks/get` has it."""
    assert plain(tasks.with_outcome(fields(OLD), Raw(b'{"content":[]}'))) == {
        **NEW,
        "result": {"content": []},
    }


def test_a_task_has_a_status() -> None:
    """Some of them are its last."""
    assert tasks.status(fields(OLD)) == "working"
    assert "working" not in tasks.TERMINAL
    with pytest.raises(ProtocolFault, match="status"):
        tasks.status(fields({"status": 3}))
