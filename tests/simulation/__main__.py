"""`python -m tests.simulation`: runs seeds, replays one, makes a failing one short."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.simulation.runs import Outcome, python, run_schedule, shrink
from tests.simulation.sabotage import SABOTAGE, Sabotage
from tests.simulation.schedule import Schedule, draw, from_json, to_json


def main() -> int:
    """Gives 1 where an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this seed, and print what happened")
    parser.add_argument("--file", type=Path, help="replay the schedule in this file")
    parser.add_argument("--seeds", type=int, default=0, help="run so many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--step", type=int, default=1, help="from one seed to the next")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--shrink", action="store_true", help="make what fails short")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGE), help="break an actor on purpose")
    parser.add_argument("--quiet", action="store_true", help="print no events")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of strings have another order in each process otherwise.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    if given.sabotage:
        return _find(SABOTAGE[given.sabotage], range(given.first, given.first + given.seeds))
    if given.seed is not None or given.file is not None:
        schedule = from_json(given.file.read_bytes()) if given.file else draw(given.seed)
        return _replay(schedule, shorten=given.shrink, quiet=given.quiet)
    if given.jobs > 1:
        return _in_parallel(given.first, given.seeds, given.jobs)
    return _run(range(given.first, given.first + given.seeds * given.step, given.step))


def _replay(schedule: Schedule, *, shorten: bool, quiet: bool) -> int:
    outcome = run_schedule(schedule)
    if shorten and outcome.violations:
        schedule = shrink(schedule, outcome.violations[0][0])
        outcome = run_schedule(schedule)
    if not quiet:
        print(to_json(schedule))
        print("\n".join(outcome.events))
    _tell(outcome)
    return 1 if outcome.violations else 0


def _find(sabotage: Sabotage, seeds: range) -> int:
    """Prints a short schedule that shows the broken actor, and is whole without."""
    with sabotage.begin():
        for seed in seeds:
            if sabotage.invariant in run_schedule(draw(seed)).broken:
                print(to_json(shrink(draw(seed), sabotage.invariant)), end="")
                return 0
    return 1


def _run(seeds: range) -> int:
    began, requests, broken = time.process_time(), 0, Counter[int]()
    for seed in seeds:
        outcome = run_schedule(draw(seed))
        requests += outcome.requests
        broken.update(outcome.broken)
        if outcome.violations:
            _tell(outcome)
    took_s = time.process_time() - began
    print(
        f"{len(seeds)} seeds, {requests} requests, {took_s:.1f} s of CPU; broken: {dict(broken)}",
        flush=True,
    )
    return 1 if broken else 0


def _tell(outcome: Outcome) -> None:
    for number, what in outcome.violations[:5]:
        print(f"seed {outcome.seed}: invariant {number}: {what}")
    print(f"seed {outcome.seed}: trace {outcome.digest}", flush=True)


def _in_parallel(first: int, count: int, jobs: int) -> int:
    """The same seeds, dealt out to processes."""
    running = []
    for job in range(jobs):
        share = len(range(job, count, jobs))
        numbers = ("--first", first + job, "--step", jobs, "--seeds", share)
        running.append(python(*map(str, numbers)))
    for process in running:
        print(process.communicate()[0], end="", flush=True)
    return max(process.returncode for process in running)


sys.exit(main())
