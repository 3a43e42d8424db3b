"""Row 3: a warm call over Streamable HTTP, on a connection that is kept alive, with the token checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import latency, warm_up
from bench.rows.wrk_calls import wrk_caller
from bench.stage import Stage, attach_floor


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    with ExitStack() as stack:
        floor = stack.enter_context(attach_floor(stage)).caller
        acts = {"attach": partial(latency, floor, plan.alone_s)}
        warm_up(plan, floor)
        for link in stage.links:
            home = stack.enter_context(stage.home())
            served = stack.enter_context(stage.served(home, *stage.link_options(link)))
            caller = wrk_caller(served)
            warm_up(plan, caller)
            acts[f"http_{link}"] = partial(latency, caller, plan.alone_s)

        def play(number: int) -> Figures:
            return in_turn(number, acts)

        yield play


ROW: Final = Row(
    number=3,
    title="warm call over Streamable HTTP (keep-alive, auth on), FIFO link",
    targets=(
        Target(
            promise="p50 against the raw attach round trip",
            of="http_fifo_p50_us",
            against="attach_p50_us",
            at_most=1.0,
        ),
        Target(
            promise="p99 against its p50",
            of="http_fifo_p99_us",
            against="http_fifo_p50_us",
            at_most=15.0,
        ),
    ),
    open=_open,
    kept_awake=True,
)
