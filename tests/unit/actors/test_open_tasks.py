"""actors/open_tasks.py: which tasks are waited for, and until when."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.call import Call
from actors.open_tasks import OpenTasks
from gateway import limits
from gateway.jsonrpc.messages import Failure
from tests.fakes.server import raw


def call(method: str = "tools/call", **fields: object) -> Call:
    """A call that nobody waits for."""
    return Call(
        method,
        {name: raw(value) for name, value in fields.items()},
        server="s",
        owner="o",
        timeout_s=1.0,
        settled=lambda *_: None,
        relayed=lambda *_: None,
    )


def task(status: str, ttl: int | None = 5000) -> msgspec.Raw:
    """A result that hands out the task `t`."""
    shown = {"taskId": "t", "status": status, "createdAt": "", "ttl": ttl}
    return raw({"task": shown})


async def test_a_task_is_waited_for_until_its_time_is_over(autojump_clock: MockClock) -> None:
    """As long as its server says, and never longer than the cap."""
    tasks = OpenTasks()
    assert not tasks
    assert not tasks.see(call(), task("working"))
    assert list(tasks) == [trio.current_time() + 5]
    for ttl in (None, 10**12):
        tasks.see(call(), task("working", ttl))
        assert list(tasks) == [trio.current_time() + limits.TASK_CAP_S]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_task_is_over(autojump_clock: MockClock, status: str) -> None:
    """Told by its server, whatever asked for it."""
    tasks = OpenTasks()
    tasks.see(call(), task("working"))
    assert tasks.see(call("tasks/get"), task(status))
    assert not tasks


async def test_the_result_of_a_task_ends_it(autojump_clock: MockClock) -> None:
    """Be it an error; answers of other calls say nothing, and an id that is none ends nothing."""
    tasks = OpenTasks()
    tasks.see(call(), task("working"))
    assert not tasks.see(call(), raw({"content": []}))
    assert not tasks.see(call(), Failure(None, -32603, "no"))
    assert tasks.see(call("tasks/result", taskId=7), raw({}))
    assert tasks
    assert tasks.see(call("tasks/result", taskId="t"), Failure(None, -32603, "no"))
    assert not tasks
