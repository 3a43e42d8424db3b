"""Row 9: twenty sessions at once, where four spares wait, against as many cold starts one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from bench.floors.cold import cold_start_s
from bench.load.http import HttpClient
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.spare import wait_for_spares
from bench.stage import Served, Stage

_SPARES: Final = 4
_HOLDER: Final = 1
"""The container that holds the network of the others, where they share one."""


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    def cold() -> Figures:
        taken = [cold_start_s(stage.engine) for _ in range(plan.burst)]
        return {"s": round(sum(taken), 3), "one_s": round(sum(taken) / len(taken), 3)}

    def play(number: int) -> Figures:
        acts = {
            "cold": cold,
            "burst": lambda: _burst(stage, plan, shared=False),
            "paused": lambda: _burst(stage, plan, shared=True),
        }
        return in_turn(number, acts)

    yield play


def _burst(stage: Stage, plan: Plan, *, shared: bool) -> Figures:
    """A gateway of its own for each burst: what an earlier one has started would serve the next.

    `shared`: the server's containers share one network namespace.
    """
    pool = f"warm: {_SPARES}, max: {plan.burst + _SPARES}, shared_network: {str(shared).lower()}"
    options = stage.link_options(stage.links[0])
    with stage.home(pool=pool) as home, stage.served(home, *options) as served:
        first = HttpClient(served.target())
        first.open()
        first.leave()
        wait_for_spares(stage.engine, home.label, _SPARES + _HOLDER * shared)
        began = time.perf_counter()
        with ThreadPoolExecutor(plan.burst) as threads:
            taken = sorted(threads.map(_session, [(served, began)] * plan.burst))
        return {"s": round(taken[-1], 3), "median_s": round(taken[len(taken) // 2], 3)}


def _session(of: tuple[Served, float]) -> float:
    """Opens a session, lists and calls; when the answer was there, from the burst's beginning."""
    served, began = of
    HttpClient(served.target()).open()
    return time.perf_counter() - began


ROW: Final = Row(
    number=9,
    title="burst: 20 sessions at once, floor of 4 spares, until all have their first answer",
    targets=(
        Target(
            promise="against 20 sequential cold starts",
            of="burst_s",
            against="cold_s",
            at_most=0.65,
        ),
        Target(
            promise="the same with the shared pause namespace",
            of="paused_s",
            against="cold_s",
            at_most=0.35,
        ),
    ),
    open=_open,
)
