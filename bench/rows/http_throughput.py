"""Row 4: calls per second over HTTP, against a server on trio that parses nothing and calls nobody.

Beside it, without a target: a relay on trio that parses nothing either, and has a server on pipes called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.load.stint import Load
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import throughput, warm_up
from bench.rows.wrk_calls import wrk_caller, wrk_floor
from bench.stage import Stage
from tests.images.echo import echo_binary


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    load = Load(depth=plan.depth, seconds=plan.crowd_s)
    with ExitStack() as stack:
        acts = {}
        for link in stage.links:
            home = stack.enter_context(stage.home())
            served = stack.enter_context(stage.served(home, *stage.link_options(link)))
            caller = wrk_caller(served)
            warm_up(plan, caller, depth=plan.depth)
            acts[f"http_{link}"] = partial(throughput, caller, load, served.pid)
        for act, floor, arguments in (
            ("trio", "echo", ()),
            ("relay", "relay", (str(echo_binary()),)),
        ):
            floor_caller, pid = stack.enter_context(wrk_floor(caller, floor, *arguments))
            warm_up(plan, floor_caller, depth=plan.depth)
            acts[act] = partial(throughput, floor_caller, load, pid)

        def play(number: int) -> Figures:
            return in_turn(number, acts)

        yield play


ROW: Final = Row(
    number=4,
    title="HTTP calls/s at 32 connections, one container, FIFO link",
    targets=(
        Target(
            promise="against a raw trio-socket echo server",
            of="http_fifo_per_s",
            against="trio_per_s",
            at_least=0.8,
        ),
    ),
    open=_open,
)
