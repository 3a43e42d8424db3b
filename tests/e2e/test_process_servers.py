"""Servers that run as local processes: they end with the gateway as containers do, whichever way it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateways import await_true
from tests.e2e.places import Place
from tests.e2e.processes import echo_processes, process_entry

pytestmark = pytest.mark.slow

GONE_S = 8.0
STUBBORN = ("--ignore-eof", "--ignore-term")


@pytest.fixture
def local(echo_binary: Path, place: Place) -> Callable[..., dict[str, Any]]:
    """Makes entries that run a copy of the small C server, which no other test runs."""
    return partial(process_entry, place, echo_binary)


@pytest.mark.parametrize("manners", [(), STUBBORN], ids=["polite", "stubborn"])
def test_they_end_with_their_client(
    place: Place, local: Callable[..., dict[str, Any]], manners: tuple[str, ...]
) -> None:
    """Within 1.5 s of the end of input."""
    place.write({"one": local(*manners)})
    with place.stdio() as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
        assert len(echo_processes(place)) == 1
        client.hang_up()
        assert client.wait(1.5) == 0
        assert echo_processes(place) == []


def test_those_of_a_killed_gateway_end_at_the_next_start(
    place: Place, local: Callable[..., dict[str, Any]]
) -> None:
    """Also those that ignore the end of their input."""
    place.write({"one": local(*STUBBORN)})
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        client.signal(signal.SIGKILL)
        client.wait()
    assert echo_processes(place)
    with place.stdio() as client:
        client.initialize()
        await_true(
            lambda: not echo_processes(place), "the killed gateway's process is gone", GONE_S
        )


def test_they_need_no_engine(place: Place, local: Callable[..., dict[str, Any]]) -> None:
    """Nothing asks for one, nothing complains."""
    place.write({"one": local()})
    with place.stdio(environ={"DOCKER_HOST": "unix:///nowhere.sock"}) as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
        assert "nowhere" not in client.log
