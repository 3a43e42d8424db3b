"""actors/status.py: what people are told of a gateway, and what they are not."""

from __future__ import annotations

import msgspec
import pytest
from trio.testing import MockClock

from actors.kit.supervisor import ChildState
from actors.reports import PoolState
from actors.status import Node, Status, shown_owner, status_of
from gateway.telemetry.log import redact_values

SESSION = "session:Xk3f9qLongEnoughToBeGuessedByNobody"
POOL = "pool:echo:7f00"


async def status(pool: PoolState, *, engine_trouble: str = "") -> Status:
    """The state of a gateway of two actors, one of them a pool."""
    actors = (
        ChildState("snapshots", "running", 2, 0.0, 3),
        ChildState(POOL, "restarting", 1, 0.0),
    )
    return status_of(
        actors,
        {POOL: pool},
        instance="0" * 32,
        started=0.0,
        ready=True,
        engine_trouble=engine_trouble,
        sessions=1,
    )


def pool_state(*, failures: int = 0, last_error: str = "", mail: int = 0) -> PoolState:
    """A pool with a container of a session and a spare."""
    return PoolState(
        server="echo",
        containers=(("c1", "busy", SESSION, 2, 12.34), ("c2", "warm", None, 0, 1.0)),
        waiting=4,
        failures=failures,
        last_error=last_error,
        mail=mail,
    )


async def test_the_tree_has_actors_and_under_pools_their_containers(
    mock_clock: MockClock,
) -> None:
    """With states, restarts, mail, ages and calls; mail of a pool's own mailbox counts."""
    mock_clock.jump(65)
    tree = (await status(pool_state(mail=1))).tree
    assert (tree.name, tree.state) == ("gateway", "running")
    snapshots, pool = tree.children
    assert (snapshots.restarts, snapshots.mail) == (2, 3)
    assert snapshots.age_s >= 65
    assert (pool.state, pool.restarts, pool.mail, pool.waiting) == ("restarting", 1, 1, 4)
    assert pool.children == (
        Node(name="c1", state="busy", age_s=12.3, inflight=2, owner="session:Xk3f9q…"),
        Node(name="c2", state="warm", age_s=1.0),
    )


async def test_no_session_id_and_no_secret_is_told(mock_clock: MockClock) -> None:
    """A server's last words may quote what it was given."""
    redact_values(["hunter2-status"])
    state = await status(
        pool_state(failures=2, last_error="bad key hunter2-status"),
        engine_trouble="no engine at hunter2-status",
    )
    told = msgspec.json.encode(state).decode()
    assert SESSION not in told
    assert "hunter2" not in told
    assert state.tree.children[1].trouble == "bad key ***"
    assert state.servers[0].containers[0][2] == "session:Xk3f9q…"


async def test_what_went_wrong_is_trouble_only_while_it_does(mock_clock: MockClock) -> None:
    """A start that worked ends it."""
    state = await status(pool_state(last_error="exited with status 1"))
    assert state.tree.children[1].trouble == ""


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        (None, ""),
        ("everybody", "everybody"),
        ("call:abcdefghij:7", "call:abcdef…"),
        ("session:short", "session:short"),
    ],
)
def test_owners_are_shortened(owner: str | None, shown: str) -> None:
    """What is no id stays whole."""
    assert shown_owner(owner) == shown
