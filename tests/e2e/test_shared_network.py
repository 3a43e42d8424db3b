"""Servers whose containers share one network (`pool.shared_network`): sessions, idleness, drains, a killed gateway."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import docker
import pytest

from tests.e2e.conftest import Containers
from tests.e2e.gateways import await_true, call_over
from tests.e2e.places import Place

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]

GONE_S = 8.0
"""Until what ends by itself is removed, by a busy engine."""


def holders(client: docker.APIClient, names: list[str]) -> set[str]:
    """Whose networks these containers are in; "" for a network of one's own."""
    modes = [client.inspect_container(name)["HostConfig"]["NetworkMode"] for name in names]
    return {mode.partition("container:")[2] for mode in modes}


def test_two_sessions_in_one_network(
    place: Place, echo: Entry, containers: Containers, docker_client: docker.APIClient
) -> None:
    """Each has its container; both are in the holder's network, which goes with the last that is idle."""
    place.write({"one": echo(pool={"shared_network": True, "idle_s": 1})})
    with place.network() as gateway:
        with gateway.session() as client, gateway.session() as other:
            assert call_over(client, "echo", text="a") == "a"
            assert call_over(other, "echo", text="b") == "b"
            (holder,) = [name for name in containers(place) if "-network-" in name]
            members = [name for name in containers(place) if name != holder]
            identity = docker_client.inspect_container(holder)["Id"]
            assert holders(docker_client, members) == {identity}
        await_true(lambda: not containers(place), "nothing is left of what is idle", GONE_S)
        with gateway.session() as client:
            assert call_over(client, "echo", text="c") == "c"
    assert containers(place) == []


def test_a_killed_gateway_leaves_no_holder(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """It ends with its input, as servers do; no other gateway has to come and clean up."""
    place.write({"one": echo(pool={"shared_network": True})})
    with place.stdio() as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
        assert len(containers(place)) == 2
        client.signal(signal.SIGKILL)
        client.wait()
    await_true(lambda: not containers(place), "server and holder are gone", GONE_S)


def test_an_entry_that_cannot_share(place: Place, echo: Entry) -> None:
    """One that may read what others send says so, and costs only itself."""
    place.write({"good": echo(), "bad": echo(caps=["NET_RAW"], pool={"shared_network": True})})
    shown = place.run("server", "inspect", "bad")
    assert "does not go with the capability NET_RAW" in shown.stdout + shown.stderr, json.dumps(
        [shown.stdout, shown.stderr]
    )
