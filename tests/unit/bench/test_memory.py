"""Memory of programs under test."""

from __future__ import annotations

import os
import sys

import pytest

from bench.load.pipes import Pipes, running
from bench.memory import forget_peak, kib, tree_memory

_MIB = 1024 * 1024
_SCRIPT = """
import sys
sys.stdout.write("ready\\n"); sys.stdout.flush()
for line in sys.stdin:
    held = bytearray(int(line)) if int(line) else None
    if held: held[::4096] = b"x" * len(held[::4096])
    sys.stdout.write("done\\n"); sys.stdout.flush()
"""


@pytest.mark.slow
def test_a_peak_is_seen_after_it_is_over_and_can_be_forgotten() -> None:
    """What was held is in the peak only, until that is forgotten."""
    with running([sys.executable, "-S", "-c", _SCRIPT], os.environ) as process:
        pipes = Pipes(process)
        pipes.receive()
        before = tree_memory(process.pid)
        for size in (64 * _MIB, 0):
            pipes.send(b"%d\n" % size)
            pipes.receive()
        after = tree_memory(process.pid)
        assert after.peak - before.resident >= 60 * _MIB
        assert after.resident - before.resident < 8 * _MIB
        assert 0 < after.proportional <= after.resident
        forget_peak(process.pid)
        assert tree_memory(process.pid).peak < before.resident + 8 * _MIB


def test_a_field_that_is_missing_is_nothing() -> None:
    """Zombies have no memory."""
    assert kib("VmRSS:\t     12 kB\nOther:\t 3 kB", "VmRSS") == 12 * 1024
    assert kib("State: Z (zombie)\n", "VmRSS") == 0
