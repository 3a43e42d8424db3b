"""gateway/garbage.py: what a gateway has when it begins to serve is not looked at again and again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from actors.call import Call, Deadlines

_PROGRAM = """
import atexit, gc, sys
@atexit.register
def say():
    print(gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects()))
from gateway.cli.main import main
main(["gateway", "run"])
"""
_STARTED = 20_000
"""Objects that a gateway has at least once it serves: modules, functions, classes."""


def test_a_full_look_leaves_out_what_was_there_at_the_start(tmp_path: Path) -> None:
    """Modules, functions and classes, that is: they stay until the end."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input="",
        env={**os.environ, "MCPGW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    enabled, frozen, looked_at = ended.stdout.split()
    assert enabled == "True"
    assert int(frozen) > _STARTED
    assert int(looked_at) < int(frozen) / 4


async def test_an_ended_call_is_not_kept_for_its_deadline() -> None:
    """Thousands of them would be, under load, and each look for garbage would take them in."""
    call = Call(
        "tools/call",
        {},
        server="fake",
        owner="somebody",
        timeout_s=60,
        settled=lambda _call, _answer: None,
        relayed=lambda _call, _message: None,
    )
    deadlines = Deadlines()
    deadlines.watch(call)
    call.settle(None)
    assert len(deadlines) == 0
    deadlines.watch(call)
    assert len(deadlines) == 0
