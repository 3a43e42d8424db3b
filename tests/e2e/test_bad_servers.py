"""Servers that misbehave: their calls fail clearly and in time, the others notice nothing, the next call starts afresh."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from gateway.limits import UNCACHED_LIST_WAIT_S
from tests.e2e.conftest import BOTH_LINKS, Containers
from tests.e2e.gateways import Pipe, call_over
from tests.e2e.places import Place

pytestmark = [pytest.mark.slow, BOTH_LINKS]

Entry = Callable[..., dict[str, Any]]

ABSENT = "mcpgw-test.invalid/absent:1"
"""An image of a registry that does not exist: RFC 6761 promises that."""


@contextmanager
def beside(place: Place, entry: dict[str, Any], good: dict[str, Any]) -> Iterator[Pipe]:
    """A gateway with a good server and a bad one, whose tool `bad_echo` is known from better days."""
    place.write({"good": good, "bad": entry})
    with place.stdio() as client:
        client.initialize()
        yield client


@pytest.fixture
def alone_s(tmp_path: Path, unpacked: Path, link: str, echo: Entry) -> float:
    """What the first call to a good server takes that has nobody beside it, on this machine, just now."""
    place = Place(tmp_path / "alone", unpacked, link=link)
    place.write({"good": echo("--tools=good")})
    with place.stdio() as client:
        client.initialize()
        began = time.monotonic()
        assert client.call("good_echo", text="a") == "a"
        return time.monotonic() - began


@pytest.mark.parametrize(
    ("manners", "reason"),
    [
        (("--stderr=no licence found", "--exit=3"), "no licence found"),
        (("--mute",), "did not answer initialize within 4 s"),
        (("--print=hello world",), "server 'bad'"),
    ],
    ids=["exits", "mute", "prints"],
)
def test_a_server_that_never_starts_delays_nobody(
    place: Place, echo: Entry, alone_s: float, manners: tuple[str, ...], reason: str
) -> None:
    """The list shows the others in time, and `server inspect` and the log say why one is missing."""
    bad = echo(*manners, pool={"init_timeout_s": 4})
    with beside(place, bad, echo("--tools=good")) as client:
        # Two containers are started, and the bad one is not waited for.
        assert client.call("good_echo", deadline_s=1 + 2 * alone_s, text="a") == "a"
        began = time.monotonic()
        tools = client.request("tools/list")["result"]["tools"]
        assert time.monotonic() - began < UNCACHED_LIST_WAIT_S + 1 + alone_s
        assert {tool["name"].partition("_")[0] for tool in tools} == {"good"}
        client.await_log("server=bad")
        lines = [line for line in client.log.splitlines() if "server=bad" in line]
        assert any(reason in line for line in lines), lines
        said = client.call("bad_echo")
        assert "bad_echo" in said
        assert reason in said


def test_the_last_words_of_a_server_are_shown(place: Place, echo: Entry) -> None:
    """What it wrote to stderr before it ended is in the reason."""
    place.write({"bad": echo("--stderr=no licence found", "--exit=3")})
    failed = place.run("tools", "call", "bad_echo")
    assert failed.returncode == 1
    assert "no licence found" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_list_does_not_wait_for_the_slowest(place: Place, echo: Entry) -> None:
    """With a server that may take 30 s to start, it is answered after 5, with all others' tools."""
    with beside(place, echo("--mute"), echo("--tools=good")) as client:
        began = time.monotonic()
        tools = client.request("tools/list")["result"]["tools"]
        assert 4.5 < time.monotonic() - began < 6.5
        assert "good_echo" in {tool["name"] for tool in tools}


def test_logs_on_stdout_are_passed_over(place: Place, echo: Entry) -> None:
    """A line that is no message costs nothing but a line in the log; our own logs never go to our stdout."""
    place.write({"chatty": echo("--banner")})
    with place.stdio("--debug", "--verbose") as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"


def test_a_death_mid_call_fails_that_call(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """The log says with which status, and quotes the last words; the next call gets a new container."""
    place.write({"good": echo("--tools=good"), "bad": echo()})
    with place.stdio() as client:
        client.initialize()
        assert client.call("good_echo", text="a") == "a"
        assert client.call("echo", text="a") == "a"
        before = set(containers(place))
        failed = client.request(
            "tools/call", {"name": "crash", "arguments": {"status": 7}}, deadline_s=5
        )
        assert "server 'bad'" in failed["error"]["message"]
        assert client.call("echo", text="b") == "b"
        client.await_log("exited with status 7; its last words: crashing as told")
        after = set(containers(place))
        assert len(before & after) == 1, "the good server keeps its container"
        assert len(after) == 2


def test_a_death_takes_all_calls_of_its_container(place: Place, echo: Entry) -> None:
    """Each of them is answered, once."""
    place.write({"bad": echo()})
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        ids = [
            client.ask("tools/call", {"name": "sleep", "arguments": {"ms": 60_000}})
            for _ in range(5)
        ]
        ids.append(client.ask("tools/call", {"name": "crash", "arguments": {"status": 1}}))
        answers = client.answers(len(ids), 10)
        assert sorted(answer["id"] for answer in answers) == ids
        assert all("server 'bad'" in answer["error"]["message"] for answer in answers)


def test_a_call_without_answer_ends_at_its_deadline(place: Place, echo: Entry) -> None:
    """The deadline is the entry's; a call beside it in the same container is not touched."""
    place.write({"one": echo(pool={"timeout_s": 2})})
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        began = time.monotonic()
        slow = client.ask("tools/call", {"name": "sleep", "arguments": {"ms": 60_000}})
        assert client.call("echo", text="b") == "b"
        answer = client.answer_to(slow, 6)
        assert 1.9 < time.monotonic() - began < 4
        assert "2" in answer["error"]["message"]
        assert "one" in answer["error"]["message"]
        assert client.call("echo", text="c") == "c"


def test_a_cancelled_call_is_not_answered(place: Place, echo: Entry) -> None:
    """The client said that it does not care any more."""
    place.write({"one": echo()})
    with place.stdio() as client:
        client.initialize()
        client.call("echo", text="a")
        given_up = client.ask("tools/call", {"name": "sleep", "arguments": {"ms": 300}})
        params = {"requestId": given_up, "reason": "changed my mind"}
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        assert client.call("sleep", ms=600) == "slept"
        assert client.owes_nothing()


def test_a_missing_image_is_named(place: Place, echo: Entry) -> None:
    """With what to do about it, within the time of one list; the other server is there."""
    place.write({"good": echo("--tools=good"), "bad": {"image": ABSENT}})
    with place.stdio() as client:
        client.initialize()
        began = time.monotonic()
        assert client.call("good_echo", text="a") == "a"
        client.request("tools/list")
        assert time.monotonic() - began < 7
        client.await_log(ABSENT)
    failed = place.run("tools", "call", "whatever", "--servers", "bad")
    assert failed.returncode == 1
    assert ABSENT in failed.stderr


@pytest.fixture
def passing_image(docker_client: docker.APIClient, shell_image: str) -> Iterator[str]:
    """A name for the small C server's image that can be taken away."""
    name = f"mcpgw-test/passing:{uuid.uuid4().hex[:8]}"
    docker_client.tag(shell_image, name)
    yield name
    with suppress(docker.errors.ImageNotFound):
        docker_client.remove_image(name)


def test_an_image_that_went_fails_the_call(
    place: Place, docker_client: docker.APIClient, passing_image: str
) -> None:
    """The tools are known from better days; the call says what is missing, and what to do."""
    place.write({"one": {"image": passing_image}})
    with place.stdio() as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
    docker_client.remove_image(passing_image)
    with place.stdio() as client:
        client.initialize()
        said = client.call("echo", text="a")
        assert passing_image in said
        assert "docker pull" in said


def test_one_slow_start_does_not_hold_up_other_clients(place: Place, echo: Entry) -> None:
    """Calls to a server that hangs in its handshake wait by themselves."""
    place.write({"good": echo("--tools=good"), "bad": echo("--mute", pool={"init_timeout_s": 4})})
    with (
        place.network() as gateway,
        gateway.session() as one,
        gateway.session() as two,
        ThreadPoolExecutor() as pool,
    ):
        stuck = pool.submit(call_over, one, "bad_echo")
        assert call_over(two, "good_echo", text="a") == "a"
        assert duration(lambda: call_over(two, "good_echo", text="b")) < 1
        assert "bad_echo" in stuck.result()


def duration(act: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    began = time.monotonic()
    act()
    return time.monotonic() - began
