"""Row 8: the first call of a session, where a warm spare waits for it, against the session's later calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.engine import Engine
from bench.errors import Broken
from bench.load import stint
from bench.load.compiled import HttpCaller
from bench.load.http import HttpClient
from bench.load.stint import Load
from bench.plan import Plan
from bench.rows.row import Figures, Play, Row, Target
from bench.stage import Served, Stage

_LATER_CALLS: Final = 200
_SETTLE_S: Final = 1.0
"""From a container that runs to a server that was greeted: its process starts and answers one message."""
_WAIT_S: Final = 30.0
_POLL_S: Final = 0.1


@contextmanager
def _open(stage: Stage, _plan: Plan) -> Iterator[Play]:
    options = stage.link_options(stage.links[0])
    with stage.home(pool="warm: 1") as home, stage.served(home, *options) as served:
        # The first session of all lists the server, and tells what kind of client comes.
        _sample(served)

        def play(_number: int) -> Figures:
            wait_for_spares(stage.engine, home.label, 1)
            return _sample(served)

        yield play


def _sample(served: Served) -> Figures:
    """One session: it is introduced, calls once, then some more, and leaves."""
    client = HttpClient(served.target())
    client.introduce()
    caller = HttpCaller(served.port, [client.head], stint.echo(client.tool))
    first = caller.call(Load(calls=1))
    later = caller.call(Load(calls=_LATER_CALLS))
    client.leave()
    return {"first_us": first.p50_us, "later_p50_us": later.p50_us}


def wait_for_spares(engine: Engine, label: str, count: int) -> None:
    """Returns when exactly so many containers run, and have had time to be greeted.

    Raises:
        Broken: it does not come to that.
    """
    deadline = time.monotonic() + _WAIT_S
    while engine.running(label) != count or engine.containers(label) != count:
        if time.monotonic() > deadline:
            raise Broken(f"{engine.running(label)} containers run where {count} spares should")
        time.sleep(_POLL_S)
    time.sleep(_SETTLE_S)


ROW: Final = Row(
    number=8,
    title="first call of a session with a warm spare",
    targets=(
        Target(
            promise="against the p50 of its later calls",
            of="first_us",
            against="later_p50_us",
            at_most=3.0,
        ),
    ),
    open=_open,
    kept_awake=True,
)
