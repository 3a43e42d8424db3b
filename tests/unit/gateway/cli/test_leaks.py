"""`doctor --leaks`: what was left behind is told from what is in use."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import docker
import pytest

from gateway.home import Home
from gateway.runtimes.container_config import HOME_LABEL, INSTANCE_LABEL, SERVER_LABEL
from gateway.runtimes.ownership import InstanceLock
from tests.unit.gateway.cli.conftest import Run

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
DEAD = uuid.uuid4().hex


def test_without_an_engine_the_home_is_looked_at(run: Run, home: Path) -> None:
    """The lock of a killed gateway is shown; that the engine cannot be asked is said, and no success."""
    lock = InstanceLock.take(Home(home))
    (home / "run" / f"{DEAD}.lock").touch()
    done = run("doctor", "--leaks", "--json", **NO_ENGINE)
    lock.release()
    shown = {leak["name"].partition(".")[0]: leak["gateway"] for leak in json.loads(done.out)}
    assert shown == {lock.instance_id: "running", DEAD: "gone"}
    assert "is not running" in done.err
    assert done.status == 1


@pytest.mark.engine
@pytest.mark.slow
def test_containers_and_networks_of_this_home_and_others(
    run: Run, home: Path, docker_client: docker.APIClient, echo_image: str
) -> None:
    """Those of a gateway that is gone are leaks, those of other homes are only shown."""
    environ = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    other = uuid.uuid4().hex[:16]
    lock = InstanceLock.take(Home(home))
    made = []
    own = Home(home).identity()
    for home_id, instance in ((own, lock.instance_id), (own, DEAD), (other, DEAD)):
        labels = {HOME_LABEL: home_id, INSTANCE_LABEL: instance, SERVER_LABEL: "mine"}
        made.append(docker_client.create_container(echo_image, labels=labels)["Id"])
    network = docker_client.create_network(
        f"mcpgw-test-{other}", labels={HOME_LABEL: own, INSTANCE_LABEL: DEAD}
    )["Id"]
    try:
        done = run("doctor", "--leaks", "--json", **environ)
        shown = [leak for leak in json.loads(done.out) if leak["home"] in {own, other}]
    finally:
        lock.release()
        for identity in made:
            docker_client.remove_container(identity)
        docker_client.remove_network(network)
    assert done.status == 1
    states = sorted((leak["kind"], leak["own"], leak["gateway"]) for leak in shown)
    assert states == [
        ("container", False, "unknown"),
        ("container", True, "gone"),
        ("container", True, "running"),
        ("lock", True, "running"),
        ("network", True, "gone"),
    ]
    assert run("doctor", "--leaks", **environ).status == 0
