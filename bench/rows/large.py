"""Row 11: a result of 10 MB, and what it takes of memory on its way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.load import stint
from bench.load.compiled import HttpCaller
from bench.load.stint import Caller, Load
from bench.memory import forget_peak, tree_memory
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.stage import Stage, attach_floor, http_session, stdio_session

_CALLS: Final = 5
_MS: Final = 1e3


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    options = stage.link_options(stage.links[0])
    with ExitStack() as stack:
        floor = stack.enter_context(attach_floor(stage))
        stdio = stack.enter_context(stdio_session(stage, *options))
        served = stack.enter_context(stage.served(stack.enter_context(stage.home()), *options))
        session = http_session(served)

        def request(tool: bytes) -> stint.Request:
            return stint.flood(tool.replace(b"echo", b"flood"), plan.large_bytes)

        http = HttpCaller(served.port, [session.head], request(session.tool))
        acts = {
            "attach": partial(_large, floor.caller.asking(request(floor.tool)), 0, plan),
            "stdio": partial(_large, stdio.caller.asking(request(stdio.tool)), stdio.pid, plan),
            "http": partial(_large, http, served.pid, plan),
        }
        for act in acts.values():
            act()

        def play(number: int) -> Figures:
            return in_turn(number, acts)

        yield play


def _large(caller: Caller, pid: int, plan: Plan) -> Figures:
    """Some results, one after the other. The peak is what comes on top of what was resident before."""
    before = 0
    if pid:
        forget_peak(pid)
        before = tree_memory(pid).resident
    found = caller.call(Load(calls=_CALLS))
    figures = {
        "ms": round(found.p50_us / _MS, 2),
        "client_cpu_ms": round(found.client_cpu_us / _MS, 2),
    }
    if pid:
        figures["peak_messages"] = round((tree_memory(pid).peak - before) / plan.large_bytes, 2)
    return figures


def _time(name: str, promise: str) -> Target:
    return Target(promise=promise, of=f"{name}_ms", against="attach_ms", at_most=2.0)


def _peak(name: str, promise: str) -> Target:
    return Target(promise=promise, of=f"{name}_peak_messages", at_most=6.0, unit="× the message")


ROW: Final = Row(
    number=11,
    title="10 MB result",
    targets=(
        _time("stdio", "stdio, against raw attach"),
        _time("http", "HTTP, against raw attach"),
        _peak("stdio", "peak memory above what was resident, stdio"),
        _peak("http", "peak memory above what was resident, HTTP"),
    ),
    open=_open,
)
