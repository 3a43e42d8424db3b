"""Kills servers in the middle of a call: how soon that call fails, and what the next call takes that a spare serves.

`python -m tests.faults.deaths 100 fifo` prints the figures of docs/reliability.md; the machine's engine and load count.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final, NamedTuple

import docker

from tests.e2e.gateways import Pipe, await_true, text_of
from tests.e2e.places import Place
from tests.engine import endpoint
from tests.faults.stage import SOON_S, servers
from tests.images.echo import echo_image

IN_CALL_S: Final = 0.2
"""Until a call has certainly reached its server."""
SERVER: Final = "one"
GONE: Final = f"server {SERVER!r}"
"""What the error of a call begins with whose server has died."""


class Death(NamedTuple):
    """What one death meant to its client."""

    told: str
    told_ms: float
    next_ms: float


def prepare(place: Place, image: str) -> None:
    """A home with the one server, of which there is always a spare."""
    pool = {"warm": 1, "max": 4}
    place.write({SERVER: {"image": image, "disableNetwork": True, "pool": pool}})


def kill_one(
    client: Pipe, engine: docker.APIClient, place: Place, *, while_: Callable[[], object]
) -> Death:
    """Kills the server of a call, once there is a spare; what is done to the engine beside that is up to `while_`."""
    assert client.call("echo", text="a") == "a"
    await_true(lambda: len(servers(engine, place, SERVER)) == 2, "there is a spare", SOON_S)
    # A spare is greeted before it counts, which nobody sees from outside.
    time.sleep(IN_CALL_S)
    call = client.ask("tools/call", {"name": "sleep", "arguments": {"ms": 20_000}})
    time.sleep(IN_CALL_S)
    pid = servers(engine, place, SERVER)[0]
    while_()
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    told = text_of(client.answer_to(call))
    told_ms = (time.monotonic() - began) * 1000
    began = time.monotonic()
    assert client.call("echo", text="b") == "b"
    return Death(told, told_ms, (time.monotonic() - began) * 1000)


def main(arguments: Sequence[str]) -> None:
    """The command."""
    rounds, link = int(arguments[0]), arguments[1]
    engine = docker.APIClient(endpoint().url, version="auto")
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "place", Path(folder) / "unpacked", link=link)
        prepare(place, echo_image(engine, "dash"))
        with place.stdio() as client:
            client.initialize()
            deaths = [kill_one(client, engine, place, while_=nullcontext) for _ in range(rounds)]
    for name in ("told_ms", "next_ms"):
        times = sorted(getattr(death, name) for death in deaths)
        middle, late = statistics.median(times), times[int(0.95 * len(times))]
        sys.stdout.write(f"{name}: {middle:.0f} / {late:.0f} (p50 / p95 of {rounds})\n")
    known = sum("status" in death.told for death in deaths)
    sys.stdout.write(f"with the exit status: {known} of {rounds}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
