"""`python -m tests.fuzz --seconds N [TARGET …]`: looks for inputs that break a property, for so long in all.

Each target runs in a process of its own (`one.py`), with the corpus of the repository and what earlier runs have found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.fuzz.table import CORPUS, TARGETS

_FOUND: Final = Path(".build/fuzz")
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units: *(\d+)")
_LIMITS: Final = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=2048", "-print_final_stats=1")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=80)
    parser.add_argument("targets", nargs="*", default=list(TARGETS))
    given = parser.parse_args()
    share_s = max(1, given.seconds // len(given.targets))
    broken = [name for name in given.targets if not _fuzz(name, share_s)]
    sys.exit(f"a property is broken: {', '.join(broken)}" if broken else 0)


def _fuzz(name: str, seconds: int) -> bool:
    """Runs one target; says how often, and whether all was well."""
    found, crashes = _FOUND / name, _FOUND / "crashes"
    found.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.one", name),
            *(f"-max_total_time={seconds}", *_LIMITS, f"-artifact_prefix={crashes}/{name}-"),
            *(str(found), str(CORPUS / name)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    executed = _EXECUTED.search(done.stdout)
    count = int(executed[1]) if executed else 0
    sys.stdout.write(f"{name}: {count} executions in {seconds} s, exit status {done.returncode}\n")
    if done.returncode:
        sys.stdout.write(done.stdout[-6000:])
    sys.stdout.flush()
    return done.returncode == 0


if __name__ == "__main__":
    main()
