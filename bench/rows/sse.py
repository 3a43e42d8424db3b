"""Row 7: the older HTTP+SSE transport: calls whose answers come as events, and events as fast as one reader takes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.errors import Broken
from bench.load import stint
from bench.load.compiled import HttpCaller
from bench.load.stint import Load
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import throughput, warm_up
from bench.rows.wrk_calls import wrk_caller
from bench.stage import Stage, sse_session

_EVENTS_PER_CALL: Final = 5000
"""A server's progress notifications, each an event for the reader: no call, so no POST, for each of them."""


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    load = Load(depth=plan.depth, seconds=plan.crowd_s)
    options = stage.link_options(stage.links[0])
    with ExitStack() as stack:
        served = stack.enter_context(stage.served(stack.enter_context(stage.home()), *options))
        http = wrk_caller(served)
        session = stack.enter_context(sse_session(served))
        stream, heads = session.fileno(), [session.head] * plan.depth
        sse = HttpCaller(served.port, heads, stint.echo(session.tool), stream)
        count = stint.count(session.tool.replace(b"echo", b"count"), _EVENTS_PER_CALL)
        counting = HttpCaller(served.port, heads[:1], count, stream)
        # Ids above those of `sse`, which has the same session.
        counting.skip(1_000_000_000)
        warm_up(plan, http, sse, depth=plan.depth)
        warm_up(plan, counting)

        def play(number: int) -> Figures:
            return in_turn(
                number,
                {
                    "http": lambda: throughput(http, load, served.pid),
                    "sse": lambda: throughput(sse, load, served.pid),
                    "stream": lambda: _events(counting, plan.crowd_s),
                },
            )

        yield play


def _events(counting: HttpCaller, seconds: float) -> Figures:
    found = counting.call(Load(seconds=seconds))
    if found.events != found.calls * (_EVENTS_PER_CALL + 1):
        raise Broken(f"{found.events} events came of {found.calls} calls")
    return {
        "events_per_s": round(found.events / found.seconds),
        "client_cpu_us": round(found.cpu_s * 1e6 / found.events, 2),
    }


ROW: Final = Row(
    number=7,
    title="SSE transport",
    targets=(
        Target(
            promise="calls/s at 32, against those of Streamable HTTP",
            of="sse_per_s",
            against="http_per_s",
            at_least=0.6,
        ),
        Target(
            promise="events/s to one reader",
            of="stream_events_per_s",
            at_least=30_000.0,
            unit="/s",
        ),
    ),
    open=_open,
)
