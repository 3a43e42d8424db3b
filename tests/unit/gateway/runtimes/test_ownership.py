"""gateway/runtimes/ownership.py: whose containers may be removed."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from gateway.errors import EngineUnreachable
from gateway.home import Home
from gateway.runtimes.engine_facts import Found
from gateway.runtimes.ownership import (
    InstanceLock,
    claimed,
    drop_stale_locks,
    reap,
    remove_instance,
)

DEAD = uuid.uuid4().hex
OTHER = "another-home"


class FakeContainers:
    """An engine's containers, by id."""

    def __init__(self, *found: Found, stubborn: str = "") -> None:
        self.there = {item.id: item for item in found}
        self._stubborn = stubborn

    async def find(self, *, home_id: str = "", instance_id: str = "") -> list[Found]:
        """As the engine filters labels."""
        return [
            item
            for item in self.there.values()
            if home_id in {"", item.home_id} and instance_id in {"", item.instance_id}
        ]

    async def remove(self, identity: str) -> None:
        """All but the stubborn one."""
        if identity == self._stubborn:
            raise EngineUnreachable("busy")
        del self.there[identity]


def container(identity: str, home_id: str, instance_id: str) -> Found:
    """A running container."""
    return Found(identity, f"mcp-x-{identity}", home_id, instance_id, "x", "running")


def test_a_lock_lives_as_long_as_its_gateway(home: Home) -> None:
    """A held lock is not claimed; a released one is, and leaves no file."""
    lock = InstanceLock.take(home)
    with claimed(home, lock.instance_id) as dead:
        assert not dead
    lock.release()
    lock.release()
    assert not list(home.run.glob("*.lock"))
    with claimed(home, lock.instance_id) as dead:
        assert dead


@pytest.mark.slow
def test_a_killed_gateway_is_dead(home: Home) -> None:
    """SIGKILL frees the lock, and the file that stays is no sign of life."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from gateway.home import Home\n"
        "from gateway.runtimes.ownership import InstanceLock\n"
        "lock = InstanceLock.take(Home(Path(sys.argv[1])))\n"
        "print(lock.instance_id, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as gateway:
        instance_id = gateway.stdout.readline().decode().strip()
        with claimed(home, instance_id) as dead:
            assert not dead
        gateway.kill()
        gateway.wait()
    assert (home.run / f"{instance_id}.lock").exists()
    for path in list(home.run.glob("*.lock")):
        path.with_suffix(".sock").touch()
    drop_stale_locks(home)
    assert not list(home.run.glob("*.lock"))
    assert not list(home.run.glob("*.sock"))


def test_only_one_claims(home: Home) -> None:
    """Two gateways that reap at the same time do not get into each other's way."""
    lock = InstanceLock.take(home)
    path = home.run / f"{lock.instance_id}.lock"
    lock.release()
    path.touch()
    with claimed(home, lock.instance_id) as first, claimed(home, lock.instance_id) as second:
        assert (first, second) == (True, False)
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "x" * 32, DEAD.upper() + "0"])
def test_labels_of_others_are_not_believed(name: str, home: Home) -> None:
    """An instance id that no gateway would choose is nobody's, and names no file."""
    with claimed(home, name) as dead:
        assert not dead


async def test_reaps_the_dead_of_this_home_only(home: Home) -> None:
    """What a live gateway or another home owns stays."""
    lock = InstanceLock.take(home)
    ours = home.identity()
    engine = FakeContainers(
        container("1", ours, DEAD),
        container("2", ours, lock.instance_id),
        container("3", OTHER, DEAD),
        container("4", ours, "forged"),
    )
    assert await reap(engine, home) == ["mcp-x-1"]
    assert set(engine.there) == {"2", "3", "4"}
    lock.release()


async def test_what_cannot_be_removed_is_left_for_the_next_time(home: Home) -> None:
    """One failure does not keep the others from being removed."""
    ours = home.identity()
    engine = FakeContainers(container("1", ours, DEAD), container("2", ours, DEAD), stubborn="1")
    assert await reap(engine, home) == ["mcp-x-2"]
    assert set(engine.there) == {"1"}


async def test_the_last_act_of_a_shutdown(home: Home) -> None:
    """By label, all of one gateway and nothing of another."""
    mine, yours = uuid.uuid4().hex, uuid.uuid4().hex
    engine = FakeContainers(
        container("1", home.identity(), mine), container("2", home.identity(), yours)
    )
    assert await remove_instance(engine, mine) == ["mcp-x-1"]
    assert set(engine.there) == {"2"}
