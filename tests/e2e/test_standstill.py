"""A gateway that stood still: the machine was suspended, or somebody stopped it, for longer than its deadlines are."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from gateway import limits
from tests.e2e.gateways import text_of
from tests.e2e.places import Place
from tests.e2e.processes import echo_processes, process_entry

pytestmark = pytest.mark.slow

TIMEOUT_S = 1.0
STILL_S = TIMEOUT_S + limits.STANDSTILL_S + 0.5


def test_calls_answered_meanwhile_succeed(place: Place, echo_binary: Path) -> None:
    """Their deadline passed, but nobody was there to read; session and server are the same afterwards."""
    place.write({"one": process_entry(place, echo_binary, pool={"timeout_s": TIMEOUT_S})})
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="warm")
        servers = echo_processes(place)
        for _ in range(2):
            call = client.ask("tools/call", {"name": "sleep", "arguments": {"ms": 300}})
            time.sleep(0.1)
            client.signal(signal.SIGSTOP)
            time.sleep(STILL_S)
            client.signal(signal.SIGCONT)
            assert "did not answer" not in text_of(client.answer_to(call))
        overdue = client.call("sleep", ms=60_000)
        assert "did not answer within 1 s" in overdue
        assert echo_processes(place) == servers
