"""Servers that run as local processes: they end with the gateway as containers do, whichever way it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateways import await_true
from tests.e2e.places import Place

pytestmark = pytest.mark.slow

GONE_S = 8.0
STUBBORN = ("--ignore-eof", "--ignore-term")


@pytest.fixture
def local(echo_binary: Path, place: Place) -> Callable[..., dict[str, Any]]:
    """Makes entries that run a copy of the small C server, which no other test runs."""
    program = place.folder / "echo-server"
    program.write_bytes(echo_binary.read_bytes())
    program.chmod(0o755)

    def entry(*arguments: str) -> dict[str, Any]:
        return {"process": {"command": [str(program), *arguments]}}

    return entry


def running(place: Place) -> list[int]:
    """The processes that run this home's copy of the server."""
    program = str(place.folder / "echo-server").encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0] == program:
            found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("manners", [(), STUBBORN], ids=["polite", "stubborn"])
def test_they_end_with_their_client(
    place: Place, local: Callable[..., dict[str, Any]], manners: tuple[str, ...]
) -> None:
    """Within 1.5 s of the end of input."""
    place.write({"one": local(*manners)})
    with place.stdio() as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
        assert len(running(place)) == 1
        client.hang_up()
        assert client.wait(1.5) == 0
        assert running(place) == []


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
    assert running(place)
    with place.stdio() as client:
        client.initialize()
        await_true(lambda: not running(place), "the killed gateway's process is gone", GONE_S)


def test_they_need_no_engine(place: Place, local: Callable[..., dict[str, Any]]) -> None:
    """Nothing asks for one, nothing complains."""
    place.write({"one": local()})
    with place.stdio(environ={"DOCKER_HOST": "unix:///nowhere.sock"}) as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
        assert "nowhere" not in client.log
