"""Row 6: many clients with one call each, against one client with as many: what a session costs a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.load import stint
from bench.load.compiled import HttpCaller
from bench.load.stint import Load
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import throughput, warm_up
from bench.stage import Stage, http_session

_CALLS: Final = 128
"""In flight, in either case."""


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    load = Load(depth=_CALLS, seconds=plan.crowd_s)
    options = ("--isolation", "shared", *stage.link_options(stage.links[0]))
    with stage.home() as home, stage.served(home, *options) as served:
        sessions = [http_session(served) for _ in range(_CALLS)]
        one = sessions[0]
        request = stint.echo(one.tool)
        many = HttpCaller(served.port, [session.head for session in sessions], request)
        single = HttpCaller(served.port, [one.head] * _CALLS, request)
        # Ids above those of `many`, whose first session is this one.
        single.skip(1_000_000_000)
        warm_up(plan, many, single, depth=_CALLS)

        def play(number: int) -> Figures:
            return in_turn(
                number,
                {
                    "many": lambda: throughput(many, load, served.pid),
                    "one": lambda: throughput(single, load, served.pid),
                },
            )

        yield play


ROW: Final = Row(
    number=6,
    title="128 sessions × 1 call in flight, `shared` isolation",
    targets=(
        Target(
            promise="calls/s against 1 session × 128",
            of="many_per_s",
            against="one_per_s",
            at_least=0.8,
        ),
    ),
    open=_open,
)
