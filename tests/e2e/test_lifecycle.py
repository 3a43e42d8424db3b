"""`docker ps -a` shows nothing of ours, whichever way a gateway, a client or a server ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from gateway.runtimes.container_config import HOME_LABEL
from tests.e2e.conftest import BOTH_LINKS, Containers
from tests.e2e.gateways import await_true, call_over, hello, request
from tests.e2e.places import Place

pytestmark = [pytest.mark.slow, BOTH_LINKS]

Entry = Callable[..., dict[str, Any]]

GONE_S = 8.0
"""Until what was given up is removed: the server's own patience and a busy engine."""
STUBBORN = ("--ignore-eof", "--ignore-term")
LONG_MS = 20_000
ON_ITS_WAY_S = 0.5
"""Until a call is certainly in its server: from outside it shows no sign of that."""


@contextmanager
def creations(client: docker.APIClient, place: Place) -> Iterator[list[str]]:
    """The names of the containers of a home that are created meanwhile; complete at the end."""
    names: list[str] = []
    begin = time.time()
    yield names
    events = client.events(
        since=begin,
        until=time.time(),
        decode=True,
        filters={"event": "create", "label": f"{HOME_LABEL}={place.home.identity()}"},
    )
    names += [event["Actor"]["Attributes"]["name"] for event in events]


def test_lists_start_nothing_once_they_are_known(
    place: Place, echo: Entry, containers: Containers, docker_client: docker.APIClient
) -> None:
    """The first list runs each server for a moment; the next gateway's lists run nothing at all."""
    place.write({"one": echo("--tools=one"), "two": echo("--tools=two")})
    with creations(docker_client, place) as created, place.stdio() as client:
        client.initialize()
        tools = client.request("tools/list")["result"]["tools"]
        await_true(lambda: not containers(place), "the lists' containers are gone", GONE_S)
    assert len(created) == 2
    with creations(docker_client, place) as created, place.stdio() as client:
        client.initialize()
        assert client.request("tools/list")["result"]["tools"] == tools
        assert client.request("prompts/list")["result"]["prompts"] == []
    assert created == []


def test_an_idle_server_goes_while_its_session_stays(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """`idle_s` after its last call nothing of it is left, running or paused; the next call starts afresh."""
    place.write({"one": echo(pool={"idle_s": 1})})
    with place.network() as gateway, gateway.session() as client:
        assert call_over(client, "echo", text="a") == "a"
        (first,) = containers(place)
        await_true(lambda: not containers(place), "idle container gone", 1 + GONE_S)
        assert call_over(client, "echo", text="b") == "b"
        assert containers(place) != [first]


def test_a_long_lived_server_stays_for_its_session(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """Idle or not; and goes with the session, which the client ends."""
    place.write({"one": echo(longLived=True, pool={"idle_s": 0.2})})
    with place.network() as gateway, gateway.session() as client:
        call_over(client, "echo", text="a")
        before = containers(place)
        time.sleep(1.5)  # that something does not happen takes as long as one is ready to wait
        assert containers(place) == before
        assert client.delete("/mcp").is_success
        await_true(lambda: not containers(place), "container of an ended session gone", GONE_S)


def test_sessions_share_no_container(place: Place, echo: Entry, containers: Containers) -> None:
    """Unless told so, each client has a container of its own, and `shared` ones have one for all."""
    place.write(
        {
            "mine": echo("--tools=mine"),
            "ours": echo("--tools=ours", pool={"isolation": "shared"}),
        }
    )
    with place.network() as gateway, gateway.session() as one, gateway.session() as two:
        for client in (one, two):
            for tool in ("mine_echo", "ours_echo"):
                assert call_over(client, tool, text="x") == "x"
        names = containers(place)
    assert sorted(name.rpartition("-")[0] for name in names) == ["mcp-mine", "mcp-mine", "mcp-ours"]


@pytest.mark.parametrize("manners", [(), STUBBORN], ids=["polite", "stubborn"])
def test_the_end_of_input_ends_everything(
    place: Place, echo: Entry, containers: Containers, manners: tuple[str, ...]
) -> None:
    """Within 1.5 s, also with a call in flight in a server that ignores every request to end."""
    place.write({"one": echo(*manners)})
    with place.stdio() as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
        client.ask("tools/call", {"name": "sleep", "arguments": {"ms": LONG_MS}})
        began = time.monotonic()
        client.hang_up()
        assert client.wait() == 0
        assert time.monotonic() - began < 1.5
        assert containers(place) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_the_stdio_form(
    place: Place, echo: Entry, containers: Containers, number: signal.Signals
) -> None:
    """Clients that do not close stdin send one of these."""
    place.write({"one": echo()})
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        client.signal(number)
        assert client.wait(3) == 0
        assert containers(place) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_a_call_from_the_terminal(
    place: Place, echo: Entry, containers: Containers, number: signal.Signals
) -> None:
    """`timeout` sends one of these, and so does a terminal that is closed."""
    place.write({"one": echo()})
    words = place.command("tools", "call", "sleep", f"ms={LONG_MS}")
    with subprocess.Popen(words, env=place.environ, stderr=subprocess.DEVNULL) as process:
        await_true(lambda: containers(place) != [], "the call has a container", GONE_S)
        process.send_signal(number)
        assert process.wait(GONE_S) == 130
    assert containers(place) == []


def test_sigterm_lets_calls_finish(place: Place, echo: Entry, containers: Containers) -> None:
    """The call in flight gets its answer, new ones are refused, then nothing is left."""
    place.write({"one": echo()})
    with place.network() as gateway, gateway.session() as client, ThreadPoolExecutor() as pool:
        call_over(client, "echo", text="a")
        answer = pool.submit(call_over, client, "sleep", ms=2000)
        time.sleep(ON_ITS_WAY_S)
        gateway.signal(signal.SIGTERM)
        gateway.await_log("name=SIGTERM")
        await_true(lambda: refused(gateway.url), "not ready any more", 5)
        assert answer.result() == "slept"
        assert gateway.wait() == 0
        assert containers(place) == []


def refused(url: str) -> bool:
    """Whether the gateway says that it is not ready."""
    try:
        return httpx.get(f"{url}/health").status_code == 503
    except httpx.TransportError:
        return True


def test_a_second_signal_does_not_wait(place: Place, echo: Entry, containers: Containers) -> None:
    """The call in flight is given up, and still nothing is left."""
    place.write({"one": echo(*STUBBORN)})
    with place.network() as gateway, gateway.session() as client, ThreadPoolExecutor() as pool:
        call_over(client, "echo", text="a")
        lost = pool.submit(call_over, client, "sleep", ms=LONG_MS)
        time.sleep(ON_ITS_WAY_S)
        began = time.monotonic()
        gateway.signal(signal.SIGTERM)
        gateway.await_log("name=SIGTERM")
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert time.monotonic() - began < 4
        assert lost.exception() is not None or lost.result() != "slept"
        assert containers(place) == []


def test_a_killed_gateway_is_cleaned_up_after(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """The next start of the same home removes what the killed one could not."""
    place.write({"one": echo(*STUBBORN)})
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        client.signal(signal.SIGKILL)
        client.wait()
    left = containers(place)
    assert left
    with place.stdio() as client:
        client.initialize()
        await_true(lambda: not containers(place), "the killed gateway's container is gone", GONE_S)


DESKTOP = """
import subprocess, sys
task = sys.stdin.readline()
gateway = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(gateway.pid, flush=True)
gateway.stdin.write(task + sys.stdin.readline() + sys.stdin.readline())
gateway.stdin.flush()
for line in gateway.stdout:
    print(line, end="", flush=True)
"""


def test_the_death_of_a_desktop_client(
    place: Place, echo: Entry, containers: Containers, tmp_path: Path
) -> None:
    """It is killed and closes nothing by itself; the gateway that it held sees the end of its input and goes."""
    place.write({"one": echo(*STUBBORN)})
    log = (tmp_path / "desktop.log").open("wb")
    desktop = subprocess.Popen(
        [sys.executable, "-c", DESKTOP, *place.command()],
        env=place.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    with log, desktop:
        assert desktop.stdin is not None
        assert desktop.stdout is not None
        for message in (
            request(1, "initialize", hello()),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            request(2, "tools/call", {"name": "echo", "arguments": {"text": "a"}}),
        ):
            desktop.stdin.write(json.dumps(message) + "\n")
            desktop.stdin.flush()
        gateway = int(desktop.stdout.readline())
        while json.loads(desktop.stdout.readline()).get("id") != 2:
            pass
        assert containers(place)
        desktop.kill()
        await_true(lambda: not alive(gateway), "the gateway has ended", 3)
        assert containers(place) == []


def alive(pid: int) -> bool:
    """Whether a process still runs; an orphan that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


@pytest.fixture
def neighbour(tmp_path: Path, unpacked: Path, echo: Entry) -> Place:
    """Another home on the same engine."""
    place = Place(tmp_path / "neighbour", unpacked)
    place.write({"one": echo(*STUBBORN)})
    return place


def test_two_homes_never_touch_each_other(
    place: Place, neighbour: Place, echo: Entry, containers: Containers
) -> None:
    """What one ends, kills or finds at its start is its own."""
    place.write({"one": echo(*STUBBORN)})
    with neighbour.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        client.signal(signal.SIGKILL)
        client.wait()
    left = containers(neighbour)
    assert left
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        assert containers(neighbour) == left
    assert containers(place) == []
    assert containers(neighbour) == left
    with neighbour.stdio() as client:
        client.initialize()
        await_true(lambda: not containers(neighbour), "its own next start removes it", GONE_S)


def test_two_gateways_of_one_home(place: Place, echo: Entry, containers: Containers) -> None:
    """Desktop clients start one each; the end of one, and its clean-up, leave the other's alone."""
    place.write({"one": echo()})
    with place.stdio() as one:
        one.initialize()
        one.call("echo", text="a")
        mine = containers(place)
        with place.stdio() as two:
            two.initialize()
            two.call("echo", text="a")
            assert len(containers(place)) == 2
        assert containers(place) == mine
        assert one.call("echo", text="b") == "b"
