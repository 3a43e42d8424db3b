"""`python -m tests.conformance`: runs the official suite, one run after the other, and prints a table.

The exit status is 1 if a required scenario has failed. `make conformance` is how people start it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.conformance.runs import GROUPS, Run, all_runs
from tests.conformance.suite import REVISIONS, Report
from tests.conformance.table import TITLES, failures, hollow, line, row


class Session:
    """The runs of one command, and what is to be said at its end."""

    def __init__(self, folder: Path, attempts: int) -> None:
        self._folder = folder
        self._attempts = attempts
        self.failures: list[str] = []
        self.notes: list[str] = []
        self._possible: dict[tuple[str, str], Report] = {}
        """What went well without the gateway, by role and revision."""

    def do(self, run: Run, turn: int) -> None:
        """Does a run and prints its line; once more where it fails and may be repeated, which is a line of its own.

        The suite gives some answers half a second, which a machine that is busy with something else may need itself.
        """
        found: list[str] = []
        for attempt in range(self._attempts):
            began = time.monotonic()
            report = run.judge(self._folder / f"{turn}-{attempt}-{run.name}")
            print(row(run.what, run.against, report, time.monotonic() - began), flush=True)
            found = [f"{run.name}: {text}" for text in failures(report, run.impossible)]
            if not found:
                break
            print("\n".join(found), flush=True)
        self.failures += found
        if run.group == "direct":
            self._possible[run.role, run.revision] = report
        elif best := self._possible.get((run.role, run.revision)):
            self.notes += [f"{run.name}: {text}" for text in hollow(report, best)]


def main(words: list[str]) -> int:
    """The command; its exit status."""
    options = _options(words)
    chosen = [run for run in all_runs() if _is_chosen(run, options)]
    if not chosen:
        print("no run is called that", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="mcpgw-conformance-"))
    print(
        f"what the suite writes is in {folder}, and stays if it fails\n{line(*TITLES)}", flush=True
    )
    session = Session(folder, options.attempts)
    for turn in range(options.runs):
        for run in chosen:
            session.do(run, turn + 1)
    print("\n".join(["", *session.notes, *session.failures]))
    if session.failures:
        return 1
    shutil.rmtree(folder)
    return 0


def _is_chosen(run: Run, options: argparse.Namespace) -> bool:
    return (
        run.group in options.groups
        and run.revision in options.revisions
        and options.only in f"{run.what} {run.against}"
    )


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="how often everything is done")
    parser.add_argument("--attempts", type=int, default=1, help="how often each, until it passes")
    parser.add_argument("--groups", nargs="*", default=GROUPS, choices=GROUPS)
    parser.add_argument("--revisions", nargs="*", default=REVISIONS, choices=REVISIONS)
    parser.add_argument("--only", default="", metavar="TEXT", help="runs whose line has this")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
