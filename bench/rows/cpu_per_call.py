"""Row 5: what a call costs the gateway in CPU, with 32 in flight, by transport and link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.load.stint import Load
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import throughput, warm_up
from bench.rows.wrk_calls import wrk_caller
from bench.stage import Stage, stdio_session


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    load = Load(depth=plan.depth, seconds=plan.crowd_s)
    with ExitStack() as stack:
        acts = {}
        for link in stage.links:
            options = stage.link_options(link)
            session = stack.enter_context(stdio_session(stage, *options))
            acts[f"stdio_{link}"] = partial(throughput, session.caller, load, session.pid)
            served = stack.enter_context(stage.served(stack.enter_context(stage.home()), *options))
            caller = wrk_caller(served)
            acts[f"http_{link}"] = partial(throughput, caller, load, served.pid)
            warm_up(plan, session.caller, caller, depth=plan.depth)

        def play(number: int) -> Figures:
            return in_turn(number, acts)

        yield play


def _target(name: str, promise: str, at_most: float) -> Target:
    return Target(promise=promise, of=f"{name}_cpu_us", at_most=at_most, unit="µs")


ROW: Final = Row(
    number=5,
    title="gateway CPU per call at 32",
    targets=(
        _target("http_fifo", "HTTP, FIFO link", 80.0),
        _target("stdio_fifo", "stdio, FIFO link", 30.0),
        _target("http_attach", "HTTP, attach link", 110.0),
        _target("stdio_attach", "stdio, attach link", 45.0),
    ),
    open=_open,
)
