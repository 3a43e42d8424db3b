"""Gateways that share an engine: of one home, and of another. Whatever becomes of one, the containers of the others stay."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from gateway.runtimes.container_config import HOME_LABEL
from tests.e2e.gateways import Pipe, await_true
from tests.e2e.places import Place

pytestmark = pytest.mark.slow

GONE_S = 10.0


def test_nobody_touches_the_containers_of_others(
    place: Place,
    tmp_path: Path,
    unpacked: Path,
    echo: Callable[..., Any],
    docker_client: docker.APIClient,
) -> None:
    """One is killed, one ends, one comes and looks for what was left; two go on in the containers that they had."""
    other = Place(tmp_path / "other", unpacked)
    for home in (place, other):
        home.write({"one": echo(longLived=True)})

    def of(home: Place) -> set[str]:
        label = f"{HOME_LABEL}={home.home.identity()}"
        found = docker_client.containers(all=True, filters={"label": label})
        return {str(one["Id"]) for one in found}

    def joined(client: Pipe, home: Place) -> set[str]:
        """What a gateway runs once its client has called, and nothing is there for lists alone any more."""
        before = of(home)
        client.initialize()
        assert client.call("echo", text="a") == "a"
        await_true(lambda: len(of(home) - before) == 1, "one container each", GONE_S)
        return of(home) - before

    with place.stdio() as killed, place.stdio() as ending, place.stdio() as staying:
        with other.stdio() as neighbour:
            victim, ended = joined(killed, place), joined(ending, place)
            stays, foreign = joined(staying, place), joined(neighbour, other)
            assert len({*victim, *ended, *stays, *foreign}) == 4
            killed.signal(signal.SIGKILL)
            killed.wait()
            with place.stdio() as looking:
                looking.initialize()
                await_true(lambda: not victim & of(place), "what was left is removed", GONE_S)
                assert of(place) >= ended | stays
            ending.hang_up()
            assert ending.wait() == 0
            assert (of(place), of(other)) == (stays, foreign)
            assert staying.call("echo", text="b") == "b"
            assert neighbour.call("echo", text="c") == "c"
            assert (of(place), of(other)) == (stays, foreign)
        assert (of(place), of(other)) == (stays, set())
        assert staying.call("echo", text="d") == "d"
    assert of(place) == set()
