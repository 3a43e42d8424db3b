"""Row 13: a polite client beside one that floods, in the same container."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from bench.load import stint
from bench.load.compiled import HttpCaller
from bench.load.stint import Load
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import warm_up
from bench.stage import Stage, http_session

_FLOOD: Final = 128
_POLITE_PER_S: Final = 20.0
_POLITE_CONNECTIONS: Final = 8
"""More than it needs: a call that waits for a connection would wait for itself."""
_LEAD_S: Final = 0.3
"""The flood is there before the first polite call, and after the last."""


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    options = ("--isolation", "shared", *stage.link_options(stage.links[0]))
    with stage.home() as home, stage.served(home, *options) as served:
        loud, quiet = http_session(served), http_session(served)
        flood = HttpCaller(served.port, [loud.head] * _FLOOD, stint.echo(loud.tool))
        heads = [quiet.head] * _POLITE_CONNECTIONS
        polite = HttpCaller(served.port, heads, stint.echo(quiet.tool))
        warm_up(plan, flood, depth=_FLOOD)
        warm_up(plan, polite)

        def alone() -> Figures:
            return _latency(polite, plan.polite_s)

        def beside() -> Figures:
            with ThreadPoolExecutor(1) as thread:
                seconds = plan.polite_s + 2 * _LEAD_S
                flooding = thread.submit(flood.call, Load(depth=_FLOOD, seconds=seconds))
                time.sleep(_LEAD_S)
                figures = _latency(polite, plan.polite_s)
                return {**figures, "flood_per_s": round(flooding.result().per_s, 1)}

        def play(number: int) -> Figures:
            return in_turn(number, {"alone": alone, "beside": beside})

        yield play


def _latency(polite: HttpCaller, seconds: float) -> Figures:
    """Calls are due by a schedule: what delays one is paid by all that come meanwhile."""
    found = polite.call(Load(depth=_POLITE_CONNECTIONS, seconds=seconds, rate=_POLITE_PER_S))
    return {"p50_us": found.p50_us, "p99_us": found.p99_us, "late_us": found.late_us}


ROW: Final = Row(
    number=13,
    title="a polite client (20 calls/s) beside one that floods (128 in flight), same container",
    targets=(
        Target(
            promise="its p99 against its p99 alone",
            of="beside_p99_us",
            against="alone_p99_us",
            at_most=5.0,
        ),
    ),
    open=_open,
)
