"""Row 1: a warm call of a desktop client, over named pipes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import latency, warm_up
from bench.stage import Link, Stage, attach_floor, stdio_session


@contextmanager
def warm_stdio(stage: Stage, plan: Plan, link: Link) -> Iterator[Play]:
    """The floor and a gateway over stdio take turns; rows 1 and 2 differ in the link only."""
    with (
        attach_floor(stage) as floor,
        stdio_session(stage, *stage.link_options(link)) as gateway,
    ):
        warm_up(plan, floor.caller, gateway.caller)

        def play(number: int) -> Figures:
            figures = in_turn(
                number,
                {
                    "attach": lambda: latency(floor.caller, plan.alone_s),
                    "stdio": lambda: latency(gateway.caller, plan.alone_s),
                },
            )
            figures["added_us"] = round(figures["stdio_p50_us"] - figures["attach_p50_us"], 1)
            return figures

        yield play


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    stage.require("--link")
    with warm_stdio(stage, plan, "fifo") as play:
        yield play


ROW: Final = Row(
    number=1,
    title="warm `tools/call`, stdio client, FIFO link",
    targets=(
        Target(
            promise="p50 against the raw attach round trip",
            of="stdio_p50_us",
            against="attach_p50_us",
            at_most=0.85,
        ),
    ),
    open=_open,
    kept_awake=True,
)
