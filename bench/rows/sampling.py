"""One stint as figures. What rows share; must not know any row."""

from __future__ import annotations

from bench.cpu import tree_cpu_s
from bench.load.stint import Caller, Load
from bench.plan import Plan
from bench.rows.row import Figures

_US: float = 1e6


def latency(caller: Caller, seconds: float) -> Figures:
    """Calls one after the other."""
    stint = caller.call(Load(seconds=seconds))
    return {
        "p50_us": stint.p50_us,
        "p99_us": stint.p99_us,
        "client_cpu_us": round(stint.client_cpu_us, 1),
    }


def throughput(caller: Caller, load: Load, pid: int = 0) -> Figures:
    """Many calls at a time, and the CPU that each costs the process `pid` with its children."""
    before = tree_cpu_s(pid) if pid else 0.0
    stint = caller.call(load)
    figures = {
        "per_s": round(stint.per_s, 1),
        "p99_us": stint.p99_us,
        "client_cpu_us": round(stint.client_cpu_us, 1),
    }
    if pid:
        figures["cpu_us"] = round((tree_cpu_s(pid) - before) * _US / stint.calls, 2)
    return figures


def warm_up(plan: Plan, *callers: Caller, depth: int = 1) -> None:
    """Calls that nobody counts."""
    for caller in callers:
        caller.call(Load(depth=depth, seconds=plan.warm_up_s))
