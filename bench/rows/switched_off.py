"""Row 14: what is switched off costs nothing: call logging and debug present but off, against a build without them.

Both are source trees in a temporary folder: one as it is, one from which the statements that tell are taken out.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.load.stint import Load
from bench.plan import Plan
from bench.program import ROOT, Program
from bench.rows.row import Figures, Play, Row, Target, in_turn
from bench.rows.sampling import throughput, warm_up
from bench.rows.without import take_out
from bench.stage import Stage, stdio_session

_PACKAGES: Final = ("gateway", "actors", "catalogs")
_CHAIN: Final = ("call_log.note", "log.debug")
"""What is present but off: calls whose function ends so. Each has to be found, or the row measures nothing."""


@contextmanager
def _open(stage: Stage, plan: Plan) -> Iterator[Play]:
    load = Load(depth=plan.depth, seconds=plan.crowd_s)
    with tempfile.TemporaryDirectory(prefix="mcpgw-bench-") as folder:
        present, without = Path(folder) / "present", Path(folder) / "without"
        for tree in (present, without):
            for package in _PACKAGES:
                shutil.copytree(ROOT / package, tree / package)
        take_out(without, _CHAIN)
        options = ("--log-calls=false", *stage.link_options(stage.links[0]))
        with (
            stdio_session(stage, *options, program=Program(present)) as off,
            stdio_session(stage, *options, program=Program(without)) as none,
        ):
            warm_up(plan, off.caller, none.caller, depth=plan.depth)

            def play(number: int) -> Figures:
                return in_turn(
                    number,
                    {
                        "off": lambda: throughput(off.caller, load, off.pid),
                        "without": lambda: throughput(none.caller, load, none.pid),
                    },
                )

            yield play


ROW: Final = Row(
    number=14,
    title="what is switched off costs nothing: call logging and debug off",
    targets=(
        Target(
            promise="CPU per call against a build without them",
            of="off_cpu_us",
            against="without_cpu_us",
            at_most=1.10,
            judged="upper",
        ),
    ),
    open=_open,
    paired=True,
)
