"""The engine in trouble for longer than a cell of the matrix: slow, gone for good, restarted under containers that live on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.e2e.gateways import Network, await_true, call_over, message_in, request, text_of
from tests.e2e.places import Place
from tests.e2e.processes import process_entry
from tests.faults.door import SLOW_S
from tests.faults.stage import SOON_S, Stage, containers, processes_of, servers

pytestmark = pytest.mark.slow

AT_ONCE_S = 1.0
"""For what needs no engine, on two busy cores."""
NOTICED_S = 15.0
"""Until /health tells of an engine: a start has to be under way for a while, or to fail."""


@pytest.fixture
def place(stage: Stage, echo_binary: Path) -> Place:
    """A home with a server in a container, and one that needs no engine."""
    place = stage.place(init_ms=0, list_ms=0, timeout_s=SOON_S, listed=False)
    boxed = {"image": stage.image, "disableNetwork": True, "pool": {"timeout_s": 60}}
    place.write(
        {
            "boxed": {**boxed, "command": ["--tools=boxed"]},
            "local": process_entry(place, echo_binary, "--tools=local"),
        }
    )
    return place


@pytest.fixture
def api(stage: Stage) -> Iterator[docker.APIClient]:
    """The engine itself, past its door."""
    client = stage.engine.client()
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _well_again(stage: Stage) -> Iterator[None]:
    """Whatever a test did to the engine is over after it."""
    yield
    stage.door.manner = "pass"
    stage.engine.restore_containers(live=False)


def health(gateway: Network) -> str:
    """What probes are told."""
    return str(httpx.get(f"{gateway.url}/health", timeout=AT_ONCE_S).json()["status"])


def await_health(gateway: Network, status: str) -> None:
    """Returns once probes are told so."""
    await_true(lambda: health(gateway) == status, f"/health is {status}", NOTICED_S)


def at_once(act: Callable[[], Any]) -> Any:
    """What comes of it; it must not have waited for the engine."""
    began = time.monotonic()
    outcome = act()
    assert time.monotonic() - began < AT_ONCE_S
    return outcome


def names(answer: httpx.Response) -> set[str]:
    """The tools of a list."""
    return {tool["name"] for tool in message_in(answer)["result"]["tools"]}


def serves_without_the_engine(client: httpx.Client) -> None:
    """Local processes and lists."""
    assert at_once(lambda: call_over(client, "local_echo", text="l")) == "l"
    listed = at_once(lambda: client.post("/mcp", json=request(7, "tools/list", {})))
    assert {"local_echo", "boxed_echo"} <= names(listed)


def test_a_slow_engine_costs_only_who_needs_it(stage: Stage, place: Place) -> None:
    """What runs is served at once; a start takes its time, /health says why, and all is well once the engine is."""
    with place.network() as gateway, gateway.session() as client, gateway.session() as other:
        assert call_over(client, "boxed_echo", text="a") == "a"
        assert call_over(client, "local_echo", text="a") == "a"
        assert health(gateway) == "ready"
        stage.door.manner = "slow"
        body = request(8, "tools/call", {"name": "boxed_echo", "arguments": {"text": "b"}})
        with other.stream("POST", "/mcp", json=body) as answer:
            await_health(gateway, "degraded")
            assert at_once(lambda: call_over(client, "boxed_echo", text="c")) == "c"
            serves_without_the_engine(client)
            stage.door.manner = "pass"
            answer.read()
            assert text_of(message_in(answer)) == "b"
        await_health(gateway, "ready")
    assert SLOW_S > AT_ONCE_S


def test_an_engine_that_comes_back_is_used_again(
    stage: Stage, place: Place, api: docker.APIClient
) -> None:
    """Its socket is gone with all connections; nobody restarts the gateway."""
    with place.network() as gateway, gateway.session() as client:
        assert call_over(client, "boxed_echo", text="a") == "a"
        assert call_over(client, "local_echo", text="a") == "a"
        lost = identities(api, place)
        stage.door.close()
        try:
            stage.door.cut()
            await_true(
                lambda: "is not running" in call_over(client, "boxed_echo", text="b"),
                "calls say what is missing",
                NOTICED_S,
            )
            await_health(gateway, "degraded")
            serves_without_the_engine(client)
        finally:
            stage.door.open()
        await_health(gateway, "ready")
        await_true(
            lambda: call_over(client, "boxed_echo", text="c") == "c", "it is used again", SOON_S
        )
        await_true(
            lambda: not lost & identities(api, place),
            "what was left on it is removed",
            SOON_S,
        )
    assert containers(api, place) == []


def test_a_gateway_ends_without_its_engine(
    stage: Stage, place: Place, api: docker.APIClient
) -> None:
    """In good order and in time; what it could not remove is removed by the next gateway of the home."""
    with place.network() as gateway:
        with gateway.session() as client:
            assert call_over(client, "boxed_echo", text="a") == "a"
            assert call_over(client, "local_echo", text="a") == "a"
        stage.door.close()
        try:
            stage.door.cut()
            gateway.signal(signal.SIGTERM)
            assert gateway.wait() == 0
            assert "Traceback" not in gateway.log
            assert processes_of(place) == []
        finally:
            stage.door.open()
    with place.network():
        await_true(lambda: containers(api, place) == [], "the next one removes the rest", SOON_S)


def test_containers_that_outlive_dockerd_are_removed_and_not_taken_over(
    stage: Stage, place: Place, api: docker.APIClient
) -> None:
    """With live-restore they run on, but their connection is lost: most end with it, others are removed by us.

    Their owner gets another one at its next call.
    """
    engine = stage.engine
    engine.restore_containers(live=True)
    deaf = ["--ignore-eof", "--ignore-term"]
    place.write({"deaf": {"image": stage.image, "disableNetwork": True, "command": deaf}})
    with place.network() as gateway, gateway.session() as client:
        assert call_over(client, "echo", text="a") == "a"
        before = identities(api, place)
        survivors = servers(api, place, "deaf")
        engine.signal(signal.SIGTERM)
        engine.wait()
        # Deaf ones do not even end with their connection.
        assert survivors
        assert all(map(lives, survivors))
        engine.start()
        await_true(lambda: call_over(client, "echo", text="b") == "b", "it is served again", SOON_S)
        await_true(lambda: not before & identities(api, place), "they are removed", SOON_S)
        assert not any(map(lives, survivors))
        await_health(gateway, "ready")
    assert containers(api, place) == []


def identities(api: docker.APIClient, place: Place) -> set[str]:
    """The home's containers."""
    return {str(one["Id"]) for one in containers(api, place)}


def lives(pid: int) -> bool:
    """Whether that process is there."""
    return Path(f"/proc/{pid}").exists()
