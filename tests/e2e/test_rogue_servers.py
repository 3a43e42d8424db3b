"""Servers that turn on us while they are used: what their client is told, that nobody else waits, that nothing is left.

Each way to misbehave is tried in a container over either link, and in a local process: side by side where a test waits most of
the time, one after the other where a server keeps a processor busy. `test_bad_servers.py` has those that never start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.limits import MIB, SETTLE_S
from tests.e2e.conftest import Containers
from tests.e2e.gateways import Network, Pipe, await_true, call_over, text_of
from tests.e2e.places import Place
from tests.e2e.rogue import TIMEOUT_S, WAYS, Entry, House, misbehave, started

pytestmark = pytest.mark.slow

SideBySide = Callable[[Callable[[House], None]], None]

SETTLED_S: Final = SETTLE_S + 5.0
"""Until a server that has hung is given up: the deadline, the time to settle, and a new start on busy cores."""
GONE_S: Final = 8.0
UNDISTURBED_S: Final = 0.5
"""What a call to another server may take meanwhile, on two cores of which one is being flooded."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each in turn."""
    found: str = request.param
    return found


@pytest.fixture
def link(way: str) -> str:
    """Gateways are told so."""
    return "auto" if way == "process" else way


@pytest.fixture
def house(
    way: str, place: Place, echo: Entry, echo_binary: Path, containers: Containers
) -> Iterator[House]:
    """The home of a server that is reached in one of the ways."""
    made = House(way, place, echo, echo_binary, containers)
    yield made
    await_true(made.nothing_left, "nothing of the home runs", GONE_S)


@pytest.fixture
def rogue(house: House) -> Entry:
    """Makes entries of its server."""
    return house.rogue


@pytest.fixture
def nothing_left(house: House) -> Callable[[], bool]:
    """Whether nothing of its home runs."""
    return house.nothing_left


@pytest.fixture
def side_by_side(
    tmp_path: Path, unpacked: Path, echo: Entry, echo_binary: Path, containers: Containers
) -> Iterator[SideBySide]:
    """Plays something in three homes at a time, one for each way; nothing is left in any of them."""
    houses = []
    for way in WAYS:
        place = Place(tmp_path / way, unpacked, link="auto" if way == "process" else way)
        houses.append(House(way, place, echo, echo_binary, containers))

    def play(act: Callable[[House], None]) -> None:
        with ThreadPoolExecutor(len(houses)) as pool:
            played = {house.way: pool.submit(act, house) for house in houses}
        failed = {way: error for way, one in played.items() if (error := one.exception())}
        for error in failed.values():
            raise AssertionError(f"failed: {', '.join(failed)}") from error

    yield play
    for house in houses:
        await_true(house.nothing_left, f"nothing of the home runs: {house.way}", GONE_S)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("log", "logged"),
        ("twice", "once"),
        ("unknown", "an answer to somebody"),
        ("dribble", "drop by drop"),
        ("deaf", "deaf from now on"),
    ],
)
def test_the_answer_is_found_in_the_rubbish(
    place: Place, rogue: Entry, nothing_left: Callable[[], bool], how: str, told: str
) -> None:
    """Logs between messages, answers to nobody, a second answer: the call gets its one."""
    with started(place, rogue()) as client:
        assert misbehave(client, how) == told
        if how != "deaf":
            assert client.call("echo", text="b") == "b"
        assert client.owes_nothing()


def test_a_long_result_arrives_whole(
    place: Place, rogue: Entry, nothing_left: Callable[[], bool]
) -> None:
    """50 MiB in one line."""
    with started(place, rogue(pool={"timeout_s": 30})) as client:
        assert len(misbehave(client, "big", bytes=50 * MIB)) == 50 * MIB
        assert client.call("echo", text="b") == "b"


@pytest.mark.parametrize(("how", "size"), [("big", 65 * MIB), ("deep", 20_000)])
def test_a_result_that_cannot_be_read_fails_its_call(
    place: Place, rogue: Entry, nothing_left: Callable[[], bool], how: str, size: int
) -> None:
    """Once it has come, long before the call's deadline, also where others wait; the server goes on."""
    with started(place, rogue(pool={"timeout_s": 60})) as client:
        slow = client.ask("tools/call", {"name": "sleep", "arguments": {"ms": 3000}})
        assert "'bad' sent an answer that cannot be read" in misbehave(client, how, bytes=size)
        assert text_of(client.answer_to(slow)) == "slept"
        assert client.call("echo", text="b") == "b"


@pytest.mark.parametrize("how", ["hang", "deaf"])
def test_a_server_that_falls_silent_is_replaced(side_by_side: SideBySide, how: str) -> None:
    """The call ends at its deadline, with the server's name; soon the session has another server."""

    def act(house: House) -> None:
        with started(house.place, house.rogue()) as client:
            never_settles(client, how)

    side_by_side(act)


@pytest.mark.parametrize("how", ["flood", "garbage", "stderr"])
def test_a_server_that_never_settles_is_replaced(
    place: Place, rogue: Entry, nothing_left: Callable[[], bool], how: str
) -> None:
    """The same where it keeps the gateway busy."""
    with started(place, rogue()) as client:
        never_settles(client, how)


def never_settles(client: Pipe, how: str) -> None:
    """A server that is of no use any more is replaced."""
    began = time.monotonic()
    if how == "deaf":
        misbehave(client, how)
        assert "did not answer" in client.call("echo", text="lost")
    else:
        assert "did not answer" in misbehave(client, how)
    assert TIMEOUT_S - 0.1 < time.monotonic() - began < TIMEOUT_S + 2
    await_true(lambda: client.call("echo", text="b") == "b", "another server", SETTLED_S)


def test_a_slow_tool_costs_its_server_nothing(side_by_side: SideBySide) -> None:
    """A server that still answers others is kept, however many of its calls pass their deadline."""

    def act(house: House) -> None:
        with started(house.place, house.rogue()) as client:
            before = house.running()
            for _ in range(2):
                assert "did not answer" in client.call("sleep", ms=60_000)
            time.sleep(SETTLE_S + 1)  # longer than a server that has hung would be left alone
            assert house.running() == before
            assert client.call("echo", text="b") == "b"

    side_by_side(act)


def test_a_wrong_version_is_no_answer(side_by_side: SideBySide) -> None:
    """JSON-RPC 1.0: the call ends at once, the log says what came, the server is kept."""

    def act(house: House) -> None:
        with started(house.place, house.rogue()) as client:
            assert "sent an answer that is none" in misbehave(client, "version")
            assert "upstream_rubbish" in client.log
            assert client.call("echo", text="b") == "b"

    side_by_side(act)


@pytest.mark.parametrize("how", ["exit", "fork"])
def test_an_end_mid_call_is_told_at_once(
    place: Place, rogue: Entry, nothing_left: Callable[[], bool], how: str
) -> None:
    """Also where a child of the server keeps its output open; the next call is served by another, the log has the status."""
    with started(place, rogue(pool={"timeout_s": 20})) as client:
        began = time.monotonic()
        assert "server 'bad'" in misbehave(client, how)
        assert time.monotonic() - began < 3
        assert client.call("echo", text="b") == "b"
        client.await_log("exited with status 0")


def test_an_output_that_is_closed(side_by_side: SideBySide) -> None:
    """A pipe shows it at once; an engine's stream does not, so that the call's deadline ends it. The next call works."""

    def act(house: House) -> None:
        with started(house.place, house.rogue()) as client:
            said = misbehave(client, "close")
            assert ("did not answer" if house.way == "attach" else "closed its output") in said
            await_true(lambda: client.call("echo", text="b") == "b", "another server", SETTLED_S)

    side_by_side(act)


def test_a_death_at_the_third_call(
    place: Place, rogue: Entry, nothing_left: Callable[[], bool]
) -> None:
    """Fails the third call and no other; status and last words are in the log."""
    with started(place, rogue("--die-at=3")) as client:
        assert client.call("echo", text="b") == "b"
        assert "server 'bad'" in client.call("echo", text="c")
        assert client.call("echo", text="d") == "d"
        client.await_log("exited with status 3; its last words: dying at this call")


@pytest.mark.parametrize(
    "manners", [("--ignore-eof",), ("--ignore-term",), ("--ignore-eof", "--ignore-term")]
)
def test_a_server_that_will_not_end_is_ended(
    side_by_side: SideBySide, manners: tuple[str, ...]
) -> None:
    """Idle, it goes with the means that it takes; the gateway goes on."""

    def act(house: House) -> None:
        with started(house.place, house.rogue(*manners, pool={"idle_s": 0.2})) as client:
            await_true(house.nothing_left, "the idle server is gone", GONE_S)
            assert client.call("echo", text="b") == "b"

    side_by_side(act)


def test_one_that_exits_at_once_is_no_server(
    place: Place, rogue: Entry, nothing_left: Callable[[], bool]
) -> None:
    """Status 0 or not."""
    place.write({"bad": rogue("--exit=0")})
    failed = place.run("tools", "call", "echo")
    assert failed.returncode == 1
    assert "exited with status 0" in failed.stderr


@pytest.mark.parametrize("how", ["hang", "flood", "garbage", "stderr", "big", "fork"])
def test_nobody_else_waits(
    place: Place, rogue: Entry, echo: Entry, nothing_left: Callable[[], bool], how: str
) -> None:
    """While one server misbehaves, the calls of another client to another server take what they always do."""
    place.write({"good": echo("--tools=good"), "bad": rogue(pool={"timeout_s": 2})})
    with place.network() as gateway, gateway.session() as one, gateway.session() as two:
        assert call_over(one, "echo", text="a") == "a"
        assert call_over(two, "good_echo", text="a") == "a"
        with meanwhile(gateway, how):
            waits = sorted(wait(lambda: call_over(two, "good_echo", text="b")) for _ in range(60))
        assert waits[-1] < UNDISTURBED_S, f"the slowest of {len(waits)} calls: {waits[-5:]}"


@contextmanager
def meanwhile(gateway: Network, how: str) -> Iterator[None]:
    """A client in the background whose server misbehaves."""

    def spoil() -> None:
        with gateway.session() as client:
            call_over(client, "misbehave", how=how, bytes=40 * MIB)

    thread = threading.Thread(target=spoil)
    thread.start()
    time.sleep(0.7)  # its container takes that long to start
    yield
    thread.join()


def wait(act: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    began = time.monotonic()
    act()
    return time.monotonic() - began
