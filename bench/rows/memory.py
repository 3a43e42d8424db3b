"""Row 12: what the gateway keeps in memory when nobody is there, with many clients, and after they have left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.load.sse import event_stream
from bench.memory import Memory, tree_memory
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target
from bench.stage import Served, Stage, http_session

_MIB: Final = 1024 * 1024
_SETTLE_S: Final = 2.0
"""Until what is done after an answer is done."""
_LEFT_S: Final = 5.0
"""After the last client has left: streams are found closed at once, the rest is freed by timers of a second or two."""


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    def play(_number: int) -> Figures:
        """A gateway of its own: memory only grows."""
        options = stage.link_options(stage.links[0])
        with stage.home() as home, stage.served(home, *options) as served:
            # One client has come, called and left: the engine's client is loaded.
            first = http_session(served)
            first.leave()
            return _memory(served, plan.streams)

    yield play


def _memory(served: Served, streams: int) -> Figures:
    time.sleep(_SETTLE_S)
    idle = tree_memory(served.pid)
    with ExitStack() as stack:
        for _ in range(streams):
            stack.enter_context(event_stream(served.target("/sse"))).introduce()
        time.sleep(_SETTLE_S)
        busy = tree_memory(served.pid)
    time.sleep(_LEFT_S)
    return {
        **_figures("idle", idle),
        **_figures("streams", busy),
        **_figures("left", tree_memory(served.pid)),
    }


def _figures(name: str, memory: Memory) -> Figures:
    return {
        f"{name}_rss_mib": round(memory.resident / _MIB, 1),
        f"{name}_pss_mib": round(memory.proportional / _MIB, 1),
    }


ROW: Final = Row(
    number=12,
    title="resident memory",
    targets=(
        Target(promise="idle", of="idle_rss_mib", at_most=60.0, unit="MiB"),
        Target(promise="200 SSE sessions", of="streams_rss_mib", at_most=90.0, unit="MiB"),
        Target(
            promise="after they left, against idle",
            of="left_rss_mib",
            against="idle_rss_mib",
            at_most=1.15,
        ),
    ),
    open=_open,
)
