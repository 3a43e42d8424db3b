"""Programs under test: their pipes, their CPU, their ports."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.cpu import tree_cpu_s
from bench.errors import Broken
from bench.load.pipes import Pipes, running
from bench.ports import free_port, wait_for_port

_SPINNING_CHILD = """
import subprocess, sys, time
spin = "import time\\nwhile time.process_time() < 0.1: pass\\nprint('done', flush=True)\\ninput()"
subprocess.run([sys.executable, "-S", "-c", spin])
"""


@pytest.mark.slow
def test_cpu_of_children_counts() -> None:
    """A proxy's cost is also that of the programs it runs."""
    with running([sys.executable, "-S", "-c", _SPINNING_CHILD], os.environ) as process:
        assert Pipes(process).receive().startswith(b"done")
        assert 0.1 <= tree_cpu_s(process.pid) < 5
    assert process.returncode == 0


def test_cpu_of_a_process_that_is_gone_is_nothing() -> None:
    """A subject that has just died does not end the run with another error."""
    process = subprocess.Popen(["true"])
    process.wait()
    assert tree_cpu_s(process.pid) == 0


def test_the_end_of_a_program_is_named() -> None:
    """Its client does not wait for an answer that cannot come."""
    with (
        running(["true"], os.environ) as process,
        pytest.raises(Broken, match="the program has ended"),
    ):
        Pipes(process).receive()


def test_a_program_that_never_listens_is_named() -> None:
    """A peer that cannot start is known by its exit status."""
    with running(["false"], os.environ, piped=False) as process:
        process.wait()
        with pytest.raises(Broken, match="ended with 1 before it served"):
            wait_for_port(free_port(), process)
