"""The lines of calls: together, and never lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.call_log import CallLog
from gateway import limits
from gateway.telemetry.log import configure
from tests.fakes.house import Answers
from tests.fakes.server import raw

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    """What has been written."""
    root, ours = logging.getLogger(), logging.getLogger("mcpgw")
    before = root.handlers[:], root.level, ours.level
    path = tmp_path / "log"
    configure("info", json=True, log_file=str(path))
    yield lambda: [json.loads(line) for line in path.read_text().splitlines()]
    for handler in [handler for handler in root.handlers if handler not in before[0]]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])
    ours.setLevel(before[2])


async def test_lines_wait_for_each_other_a_moment(
    lines: Lines, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Each tells what was called, by whom, for how long, and how it ended."""
    log, answers = CallLog(enabled=True), Answers()
    nursery.start_soon(log.run)
    call = answers.call()
    await trio.sleep(0.1)
    call.settle(None)
    log.note(call, raw({}), name="roll", client="cli")
    log.note(call, None, name="roll", client="cli")
    await wait_all_tasks_blocked()
    assert lines() == []
    await trio.sleep(2 * limits.CALL_LOG_S)
    first, second = lines()
    assert first["event"] == "call"
    assert (first["method"], first["server"], first["name"]) == (call.method, call.server, "roll")
    assert (first["client"], first["ms"], first["outcome"]) == ("cli", 100.0, "ok")
    assert second["outcome"] == "cancelled"


async def test_a_crowd_does_not_wait(lines: Lines, autojump_clock: MockClock) -> None:
    """What waits is bounded."""
    log, answers = CallLog(enabled=True), Answers()
    for _ in range(limits.LOG_LINES_PER_WRITE + 1):
        log.note(answers.call(), raw({}), name="roll", client="cli")
    assert len(lines()) == limits.LOG_LINES_PER_WRITE


async def test_the_end_loses_no_line(lines: Lines) -> None:
    """The last calls are the ones that people look for."""
    log, answers = CallLog(enabled=True), Answers()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        log.note(answers.call(), raw({}), name="roll", client="cli")
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(lines()) == 1


@pytest.mark.parametrize("enabled", [False, True])
async def test_nothing_is_kept_that_nobody_wants(lines: Lines, *, enabled: bool) -> None:
    """Switched off, or at a level that does not show it."""
    configure("warning")
    log, answers = CallLog(enabled=enabled), Answers()
    for _ in range(2 * limits.LOG_LINES_PER_WRITE):
        log.note(answers.call(), raw({}), name="roll", client="cli")
    assert lines() == []
