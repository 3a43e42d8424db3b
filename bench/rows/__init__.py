"""The rows of the table in docs/performance.md: one module each. What is switched in here is measured by `make bench`."""

from __future__ import annotations

from typing import Final

from bench.rows import (
    burst,
    cpu_per_call,
    fairness,
    http_throughput,
    http_warm,
    large,
    memory,
    sessions,
    spare,
    sse,
    starts,
    stdio_attach,
    stdio_fifo,
    switched_off,
)
from bench.rows.row import Row

ROWS: Final[tuple[Row, ...]] = (
    stdio_fifo.ROW,
    stdio_attach.ROW,
    http_warm.ROW,
    http_throughput.ROW,
    cpu_per_call.ROW,
    sessions.ROW,
    sse.ROW,
    spare.ROW,
    burst.ROW,
    starts.ROW,
    large.ROW,
    memory.ROW,
    fairness.ROW,
    switched_off.ROW,
)

FLAGS: Final = ("--link",)
"""Flags of `gateway run` that rows ask for, and that a build may not have yet."""
