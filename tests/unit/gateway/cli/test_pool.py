"""gateway/cli/pool.py: what it prints of what gateways say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.control import talking_gateway
from tests.unit.gateway.cli.conftest import Run

REPORT = {
    "pid": 4711,
    "servers": [
        {
            "server": "echo",
            "containers": [
                ["a", "busy", "x", 1, 2.0],
                ["b", "warm", None, 0, 2.0],
                ["c", "warm", None, 0, 1.0],
            ],
            "tally": {
                "hits": 40,
                "misses": 2,
                "avoided": 7,
                "cold_p50_s": 0.4321,
                "cold_p95_s": 0.6,
            },
            "memory_bytes": 7 * 1024 * 1024,
        },
        {
            "server": "idle",
            "containers": [],
            "tally": {"hits": 0, "misses": 0, "avoided": 0, "cold_p50_s": None, "cold_p95_s": None},
            "memory_bytes": 0,
        },
    ],
}


@pytest.fixture
def gateway(home: Path) -> Iterator[None]:
    """It says that."""
    with talking_gateway(home, REPORT):
        yield


def test_a_row_for_each_server(run: Run, gateway: None) -> None:
    """Counts, times and memory; a server of which nothing runs is cold."""
    done = run("pool")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[1] == [
        "4711",
        "echo",
        "40",
        "2",
        "7",
        "432",
        "ms",
        "600",
        "ms",
        "7.0",
        "1",
        "busy,",
        "2",
        "warm",
    ]
    assert rows[2] == ["4711", "idle", "0", "0", "0", "0.0", "cold"]


def test_programs_get_plain_numbers(run: Run, gateway: None) -> None:
    """Milliseconds, MiB, and containers by state."""
    rows = json.loads(run("pool", "--format", "json").out)
    assert rows[0]["cold_p50_ms"] == 432
    assert rows[0]["held_mib"] == 7.0
    assert rows[0]["temperatures"] == {"busy": 1, "warm": 2}
    assert rows[1]["cold_p50_ms"] is None


def test_without_a_gateway_it_says_so(run: Run) -> None:
    """That is no failure: there is nothing to show."""
    done = run("pool", "--format", "json")
    assert (done.status, json.loads(done.out)) == (0, [])
    assert "no gateway of this home runs" in done.err
