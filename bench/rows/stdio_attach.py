"""Row 2: a warm call of a desktop client, over the engine's attach stream: the floor, plus the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.plan import Plan
from bench.rows.row import Play, Row, Target
from bench.rows.stdio_fifo import warm_stdio
from bench.stage import Stage


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    with warm_stdio(stage, plan, "attach") as play:
        yield play


ROW: Final = Row(
    number=2,
    title="warm `tools/call`, stdio client, attach link",
    targets=(
        Target(
            promise="p50 against the raw attach round trip",
            of="stdio_p50_us",
            against="attach_p50_us",
            at_most=2.0,
        ),
        Target(promise="added to it, p50", of="added_us", at_most=1000.0, unit="µs"),
    ),
    open=_open,
    kept_awake=True,
)
