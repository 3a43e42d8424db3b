"""A server that dies in a call fails that call at once, and the next one works, whatever the engine is doing meanwhile."""

from __future__ import annotations

import re
import signal
import statistics
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import docker
import pytest

from gateway import limits
from tests.e2e.gateways import Pipe, await_true
from tests.e2e.places import Place
from tests.faults.deaths import GONE, kill_one, prepare
from tests.faults.stage import SOON_S, Stage
from tests.images.echo import echo_image

pytestmark = pytest.mark.slow

BUSY_MS = 150.0
"""How late all of it may be on a machine with other things to do; docs/reliability.md has what it takes on a quiet one."""


@pytest.fixture
def hurt(stage: Stage) -> Iterator[docker.APIClient]:
    """The engine that may be hurt."""
    client = stage.engine.client()
    yield client
    stage.engine.revive()
    client.close()


@pytest.fixture
def dying(stage: Stage, hurt: docker.APIClient, tmp_path: Path, unpacked: Path) -> Place:
    """A home whose server has named pipes."""
    place = Place(tmp_path / "place", unpacked, link="fifo")
    place.environ["DOCKER_HOST"] = stage.engine.url
    prepare(place, echo_image(hurt, "dash"))
    return place


def test_deaths_are_told_at_once(dying: Place, hurt: docker.APIClient) -> None:
    """Of several, half within what a quiet machine takes; the log says later how each of them ended."""
    with dying.stdio() as client:
        client.initialize()
        deaths = [kill_one(client, hurt, dying, while_=nullcontext) for _ in range(5)]
        assert all(death.told.startswith(GONE) for death in deaths), deaths
        assert statistics.median(death.told_ms for death in deaths) < BUSY_MS, deaths
        assert statistics.median(death.next_ms for death in deaths) < BUSY_MS, deaths
        await_deaths(client, len(deaths))


def test_an_engine_that_stands_still_holds_up_nobody(
    dying: Place, stage: Stage, hurt: docker.APIClient
) -> None:
    """Only the engine knows how a container ended; neither the call that fails nor the next one waits for its word."""
    with dying.stdio() as client:
        client.initialize()
        stop = partial(stage.engine.signal, signal.SIGSTOP)
        death = kill_one(client, hurt, dying, while_=stop)
        stage.engine.signal(signal.SIGCONT)
        assert death.told.startswith(GONE), death
        assert death.told_ms < limits.LAST_WORDS_WAIT_S * 1000 + BUSY_MS, death
        assert death.next_ms < BUSY_MS, death
        await_deaths(client, 1)


def await_deaths(client: Pipe, count: int) -> None:
    """Returns once the log has said of so many servers with which status they ended."""
    ended = re.compile(r"server_ended .*exited with status 137")
    await_true(lambda: len(ended.findall(client.log)) >= count, "all deaths in the log", SOON_S)
