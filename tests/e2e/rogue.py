"""Homes whose server can misbehave, in a container over either link or as a local process. Must not know what is asserted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.e2e.conftest import Containers
from tests.e2e.gateways import Pipe
from tests.e2e.places import Place
from tests.e2e.processes import echo_processes, process_entry

Entry = Callable[..., dict[str, Any]]

WAYS: Final = ("fifo", "attach", "process")
"""How the server is reached: a container over either link, or a local process."""
TIMEOUT_S: Final = 1.5
"""The deadline of calls in these tests."""


class House:
    """A home whose server can misbehave, of one kind.

    Args:
        way: one of `WAYS`.
        place: the home.
        echo: makes entries of containers.
        binary: what local processes run.
        containers: those of a home.
    """

    def __init__(
        self, way: str, place: Place, echo: Entry, binary: Path, containers: Containers
    ) -> None:
        self.way = way
        self.place = place
        self._echo = echo
        self._binary = binary
        self._containers = containers

    def rogue(self, *arguments: str, **fields: object) -> dict[str, Any]:
        """An entry of the server."""
        words = ("--rogue", *arguments)
        fields = {"pool": {"timeout_s": TIMEOUT_S, "idle_s": 60}, **fields}
        if self.way == "process":
            return process_entry(self.place, self._binary, *words, **fields)
        return self._echo(*words, **fields)

    def running(self) -> tuple[list[str], list[int]]:
        """The containers and the processes of its servers."""
        with _ONE_AT_A_TIME:
            return self._containers(self.place), echo_processes(self.place)

    def nothing_left(self) -> bool:
        """Whether none of them is there; it must be so after the test."""
        return self.running() == ([], [])


_ONE_AT_A_TIME: Final = threading.Lock()
"""docker-py's client is made for one thread."""


@contextmanager
def started(place: Place, entry: dict[str, Any]) -> Iterator[Pipe]:
    """A gateway whose server `bad` runs already."""
    place.write({"bad": entry})
    with place.stdio() as client:
        client.initialize()
        assert client.call("echo", text="a") == "a"
        yield client


def misbehave(client: Pipe, how: str, **arguments: object) -> str:
    """Has the server misbehave; what its client is told."""
    return client.call("misbehave", how=how, **arguments)
