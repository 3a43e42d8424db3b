"""What a start imports, and what that costs: where row 10 goes. Must not know rows.

Source: Python, "Command line and environment", `-X importtime`.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from typing import Final

from bench.errors import Broken
from bench.load import mcp
from bench.program import GatewayHome, Program

_LINE: Final = re.compile(r"^import time: +(\d+) \| +\d+ \| +([\w.]+)$", re.MULTILINE)
_PATIENCE_S: Final = 60.0
_SHOWN: Final = 15


def import_times(program: Program, home: GatewayHome) -> Mapping[str, int]:
    """The microseconds that each package takes for its own modules until a stdio client is greeted, most costly first.

    Raises:
        Broken: the program does not greet.
    """
    environment = {**program.environment(home), "PYTHONPROFILEIMPORTTIME": "1"}
    ended = subprocess.run(
        program.run(),
        input=mcp.initialize(1) + b"\n",
        env=environment,
        capture_output=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    if b'"serverInfo"' not in ended.stdout:
        raise Broken("the gateway did not answer `initialize`")
    return by_package(ended.stderr.decode(errors="replace"))


def by_package(said: str) -> dict[str, int]:
    """The same, read from what the interpreter prints."""
    times: Counter[str] = Counter()
    for micros, module in _LINE.findall(said):
        times[module.partition(".")[0]] += int(micros)
    return dict(times.most_common())


def table(times: Mapping[str, int]) -> str:
    """The most costly packages, and the sum, for people."""
    shown = list(times.items())[:_SHOWN]
    rows = [f"{micros / 1000:8.1f} ms  {package}" for package, micros in shown]
    rows.append(f"{sum(times.values()) / 1000:8.1f} ms  all {len(times)} packages")
    return "\n".join(rows)
