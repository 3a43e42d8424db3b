"""`python -m bench`: measures, shows tables, keeps the figures."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.awake import spinners
from bench.charts import charts
from bench.document import PAGE, with_tables
from bench.engine import Engine, open_engine
from bench.errors import BenchError
from bench.figures import REFERENCE, CallFigures, Results, read_results, write_results
from bench.import_times import import_times, table
from bench.machine import busy_share, describe_machine
from bench.peers import PEERS
from bench.plan import FULL, QUICK, Plan
from bench.plots import draw_charts
from bench.program import GatewayHome, Program
from bench.report import report
from bench.rounds import measure_calls
from bench.rows import FLAGS, ROWS
from bench.rows.row import Row
from bench.run import play_rows
from bench.stage import Stage, offered_flags
from bench.subjects import SUBJECTS, Arena
from bench.verdicts import judge

_QUIET: Final = 0.1
"""Share of the cores that others may have without a word."""
_LATEST: Final = REFERENCE.with_name("latest.json")


def main(arguments: list[str]) -> int:
    """The command; its exit status: 0 if every target is kept, 1 if not, 2 if nothing could be measured."""
    options = parser().parse_args(arguments)
    # Ended in whatever way, the run ends its programs and removes its containers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    if options.write_docs:
        write_docs()
        return 0
    if options.imports:
        return _show_imports()
    rows = [row for row in ROWS if not options.rows or row.number in options.rows]
    try:
        results = measure(QUICK if options.quick else FULL, rows, peers=options.peers)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    write_results(results, options.output)
    if options.reference:
        write_results(results, REFERENCE)
        write_docs()
    print(report(results, rows, quick=options.quick))
    return _status(results, rows, quick=options.quick)


def measure(plan: Plan, rows: Sequence[Row], *, peers: bool) -> Results:
    """One run: the rows, then the peers where they are asked for.

    Raises:
        BenchError: there is no engine, or the gateway cannot be measured at all.
    """
    with open_engine() as engine, spinners() as awake:
        busy = _look(plan)
        if not awake.yielding:
            say("the spinners may hold up what is measured: root could put them into an idle group")
        program = Program()
        stage = Stage(engine, program, offered_flags(program.flags(), FLAGS))
        figures = play_rows(rows, stage, plan, awake, say)
        compared, skipped = _compare(engine, program, plan) if peers else ((), ())
        return Results(
            taken=datetime.now(UTC).date().isoformat(),
            programs={"mcpgw": program.version(), **(PEERS if peers else {})},
            machine=describe_machine(engine.version, max(busy, _look(plan))),
            plan=plan,
            rows=figures,
            peers=compared,
            skipped=skipped,
        )


def write_docs() -> None:
    """Writes the tables of the reference run into docs/performance.md, and its plots beside it."""
    page = PAGE.read_text(encoding="utf-8")
    results = read_results(REFERENCE)
    PAGE.write_text(with_tables(page, report(results, ROWS)), encoding="utf-8")
    draw_charts(charts(results, ROWS))


def say(sentence: str) -> None:
    """A progress line, with the time of day: the full plan takes minutes."""
    print(f"[{time.strftime('%H:%M:%S')}] bench: {sentence}", file=sys.stderr, flush=True)


def _show_imports() -> int:
    """What a start imports; the second one, for the first unpacks."""
    with open_engine() as engine, tempfile.TemporaryDirectory(prefix="mcpgw-bench-") as folder:
        program, home = Program(), GatewayHome(Path(folder) / "home", engine.image, 0)
        for _ in range(2):
            times = import_times(program, home)
    print(table(times))
    return 0


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _look(plan: Plan) -> float:
    """What other programs take of the cores; a word where that spoils the figures."""
    busy = busy_share(plan.look_s)
    if busy > _QUIET:
        say(f"other programs take {busy:.0%} of the cores: only ratios and CPU mean anything")
    return busy


def _compare(
    engine: Engine, program: Program, plan: Plan
) -> tuple[tuple[CallFigures, ...], tuple[str, ...]]:
    """The gateway beside its peers."""
    with tempfile.TemporaryDirectory(prefix="mcpgw-bench-") as folder, ExitStack() as stack:
        home = GatewayHome(Path(folder) / "calls", engine.image, 1)
        stack.callback(lambda: home.was_used and engine.remove(home.label))
        arena = Arena(engine, program, home, Path(folder), stack)
        return measure_calls(arena, plan, SUBJECTS, say)


def _status(results: Results, rows: Sequence[Row], *, quick: bool) -> int:
    """Quick, what is not built yet breaks nothing: the run shows that the harness works."""
    accepted = {"kept", "not available yet"} if quick else {"kept"}
    outcomes = {verdict.outcome for verdict in judge(results, rows, quick=quick)}
    return 0 if outcomes <= accepted else 1


def parser() -> argparse.ArgumentParser:
    """What the command line says; the pages about the bench are checked against it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a short run: shows that all of it works"
    )
    parser.add_argument(
        "--rows", type=_numbers, metavar="N,N", help="only these rows of the table (default: all)"
    )
    parser.add_argument(
        "--peers", action="store_true", help="measure proxies from PyPI side by side, too"
    )
    parser.add_argument(
        "--imports", action="store_true", help="only show what a start imports, and what that takes"
    )
    parser.add_argument(
        "--output", type=Path, default=_LATEST, help=f"where the figures go ({_LATEST.name})"
    )
    parser.add_argument(
        "--reference", action="store_true", help="keep this run as the one the docs show"
    )
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="only write the kept run's tables and plots into the docs",
    )
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
