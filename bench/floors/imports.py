"""The floor of all starts: an interpreter that has imported what the gateway is made of, and ends."""

from __future__ import annotations

import subprocess
import sys
import time


def import_s() -> float:
    """Seconds that `python3 -c 'import trio, msgspec'` takes, with the interpreter that runs the gateway."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import trio, msgspec"], check=True, stdin=subprocess.DEVNULL
    )
    return time.perf_counter() - began
