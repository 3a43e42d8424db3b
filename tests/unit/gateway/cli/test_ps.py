"""gateway/cli/ps.py: what it prints of what gateways say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.ps import shown_age
from tests.fakes.control import talking_gateway
from tests.unit.gateway.cli.conftest import Run


def node(name: str, state: str = "running", **more: Any) -> dict[str, Any]:
    """A node of the tree as a gateway tells it."""
    empty = {"restarts": 0, "mail": 0, "waiting": 0, "inflight": 0, "owner": "", "trouble": ""}
    return {"name": name, "state": state, "age_s": 200.0, **empty, "children": [], **more}


REPORT = {
    "pid": 4711,
    "version": "0.1.0",
    "sessions": 1,
    "refusals": {"from_clients.MAX_SESSIONS": 3},
    "tree": node(
        "gateway",
        children=[
            node("reaper", restarts=3),
            node(
                "pool:echo:7f00",
                mail=1,
                waiting=2,
                trouble="exited with status 1",
                children=[
                    node("mcpgw-echo-1", "busy", inflight=5, owner="session:Xk3f9q…"),
                    node("", "starting"),
                ],
            ),
        ],
    ),
}


@pytest.fixture
def gateway(home: Path) -> Iterator[None]:
    """It says that."""
    with talking_gateway(home, REPORT):
        yield


def test_the_tree_is_drawn(run: Run, gateway: None) -> None:
    """Actors under their gateway, containers under their pool; what is wrong stands beside it."""
    lines = run("ps").out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "ACTOR",
        "gateway 4711",
        "├─ reaper",
        "├─ pool:echo",
        "│ ├─ mcpgw-echo-1",
        "│ ├─ …",
        "refused: 3 × from_clients.MAX_SESSIONS",
    ]
    assert lines[1].split()[2:] == ["running", "3", "min", "0", "0", "1", "session,", "version", "0.1.0"]  # fmt: skip
    assert lines[2].split()[2:] == ["running", "3", "min", "3", "0"]
    assert lines[3].split()[2:] == ["running", "3", "min", "0", "1", "2", "waiting", "exited", "with", "status", "1"]  # fmt: skip
    assert lines[4].split()[3:] == ["busy", "3", "min", "5", "session:Xk3f9q…"]


def test_programs_get_what_the_gateway_said(run: Run, gateway: None) -> None:
    """The same that it says at /status."""
    assert json.loads(run("ps", "--json").out) == [REPORT]


def test_without_a_gateway_it_says_so(run: Run) -> None:
    """That is no failure: there is nothing to show."""
    done = run("ps", "--format", "json")
    assert (done.status, json.loads(done.out)) == (0, [])
    assert "no gateway of this home runs" in done.err
    assert run("ps").out == ""


@pytest.mark.parametrize(
    ("age_s", "shown"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (90_000, "1 d 1 h")],
)
def test_ages_are_short(age_s: float, shown: str) -> None:
    """Two units at most."""
    assert shown_age(age_s) == shown
