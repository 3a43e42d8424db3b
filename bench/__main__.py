"""`python -m bench`: measures, shows tables, keeps the figures."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.bounds import judge
from bench.document import PAGE, with_tables
from bench.engine import open_engine
from bench.errors import BenchError, Broken
from bench.figures import REFERENCE, Results, read_results, write_results
from bench.machine import describe_machine
from bench.peers import PEERS
from bench.plan import FULL, QUICK, Plan
from bench.program import GatewayHome, Program
from bench.report import report
from bench.rounds import measure_calls
from bench.starts import Listing, measure_starts
from bench.subjects import SUBJECTS, Stage

_LATEST: Final = REFERENCE.with_name("latest.json")


def main(arguments: list[str]) -> int:
    """The command; its exit status: 0 if every promise is kept, 1 if not, 2 if nothing could be measured."""
    options = _parser().parse_args(arguments)
    # Ended in whatever way, the run ends its programs and removes its containers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.write_docs:
        write_docs()
        return 0
    try:
        results = measure(QUICK if options.quick else FULL)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    write_results(results, options.output)
    if options.reference:
        write_results(results, REFERENCE)
        write_docs()
    print(report(results, quick=options.quick))
    return 0 if all(verdict.kept for verdict in judge(results, quick=options.quick)) else 1


def measure(plan: Plan) -> Results:
    """One run: first the starts, then the calls.

    Raises:
        BenchError: the floor or the gateway cannot be measured.
    """
    with open_engine() as engine, tempfile.TemporaryDirectory(prefix="mcpgw-bench-") as folder:
        program = Program()
        listed = GatewayHome(Path(folder) / "lists", engine.image, plan.listed_servers)
        starts, containers = measure_starts(Listing(program, listed, engine), plan, say)
        with ExitStack() as stack:
            home = GatewayHome(Path(folder) / "calls", engine.image, 1)
            version = program.version(home)
            stage = Stage(engine, program, home, Path(folder), stack)
            calls, skipped = measure_calls(stage, plan, SUBJECTS, say)
        for left in (engine.remove(listed.label), engine.remove(home.label)):
            if left:
                raise Broken(f"the gateway has left {left} containers behind (now removed)")
        return Results(
            taken=datetime.now(UTC).date().isoformat(),
            programs={"mcpgw": version, **PEERS},
            machine=describe_machine(engine.version),
            plan=plan,
            calls=calls,
            starts=starts,
            containers_while_listing=containers,
            skipped=skipped,
        )


def write_docs() -> None:
    """Writes the tables of the reference run into docs/performance.md."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(page, report(read_results(REFERENCE))), encoding="utf-8")


def say(sentence: str) -> None:
    """A progress line, with the time of day: the full plan takes minutes."""
    print(f"[{time.strftime('%H:%M:%S')}] bench: {sentence}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a short run: shows that all of it works"
    )
    parser.add_argument(
        "--output", type=Path, default=_LATEST, help=f"where the figures go ({_LATEST.name})"
    )
    parser.add_argument(
        "--reference", action="store_true", help="keep this run as the one the docs show"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="only write the kept run's tables into the docs"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
