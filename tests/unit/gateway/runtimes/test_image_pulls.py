"""gateway/runtimes/image_pulls.py: one pull at a time for each image."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import trio

from gateway.errors import ImageMissing
from gateway.runtimes.engine_facts import PullEvents, PullProgress
from gateway.runtimes.engine_http import Refused
from gateway.runtimes.image_pulls import ImagePulls, ignore_progress


class FakeApi:
    """The two calls of the engine that pulls need. A pull waits for `go`."""

    def __init__(self, *, failure: str = "", events: int = 1) -> None:
        self.go = threading.Event()
        self.pulls: list[str] = []
        self.present: set[str] = set()
        self.ended = threading.Event()
        self._failure = failure
        self._events = events

    def pull(self, image: str, report: Callable[[PullProgress], None]) -> None:
        """Reports, then fails or brings the image."""
        self.pulls.append(image)
        try:
            self.go.wait(5)
            for number in range(self._events):
                report(PullProgress(image=image, status="Downloading", done_bytes=number))
            if self._failure:
                raise ImageMissing(self._failure)
            self.present.add(image)
        finally:
            self.ended.set()

    def image_id(self, image: str) -> str | None:
        """Whether a pull brought it."""
        return "sha256:1" if image in self.present else None


async def all_ask(pulls: ImagePulls, api: FakeApi, count: int) -> list[str]:
    """So many tasks ask at once; what each of them got."""
    outcomes: list[str] = []

    async def ask() -> None:
        try:
            await pulls.pull("x", ignore_progress)
            outcomes.append("ok")
        except ImageMissing as error:
            outcomes.append(str(error))

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask)
        while not api.pulls:
            await trio.lowlevel.checkpoint()
        api.go.set()
    return outcomes


async def test_many_wait_for_one_pull() -> None:
    """Ten who ask for the same image cause one pull, and all have it."""
    api = FakeApi()
    pulls = ImagePulls(api)
    assert await all_ask(pulls, api, 10) == ["ok"] * 10
    assert api.pulls == ["x"]
    assert not pulls._locks


async def test_many_share_one_failure() -> None:
    """A registry that is out of reach is asked once, not by each who waits."""
    api = FakeApi(failure="no such host")
    assert await all_ask(ImagePulls(api), api, 10) == ["no such host"] * 10
    assert api.pulls == ["x"]


async def test_a_later_pull_tries_again() -> None:
    """A failure is shared by those who waited for it, and by nobody else."""
    api = FakeApi(failure="no such host")
    api.go.set()
    pulls = ImagePulls(api)
    for _ in range(2):
        with pytest.raises(ImageMissing):
            await pulls.pull("x", ignore_progress)
    assert api.pulls == ["x", "x"]


async def test_a_cancelled_pull_ends_and_the_next_goes_on() -> None:
    """Who is cancelled lets go at once; the thread ends with its next event; another pull is possible."""
    api = FakeApi()
    pulls = ImagePulls(api)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulls.pull, "x", ignore_progress)
        while not api.pulls:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert not api.present
    api.go.set()
    await trio.to_thread.run_sync(api.ended.wait, 5)
    assert not api.present
    await pulls.pull("x", ignore_progress)
    assert api.present


async def test_progress_is_told_at_a_bearable_pace() -> None:
    """A thousand events at once are one report."""
    api = FakeApi(events=1000)
    api.go.set()
    seen: list[PullProgress] = []
    await ImagePulls(api).pull("x", seen.append)
    assert 1 <= len(seen) < 5


def test_layers_are_added_up() -> None:
    """The engine reports layer by layer; people want one figure."""
    events = [
        {"status": "Pulling from x"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 1, "total": 10}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 2, "total": 20}},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 9, "total": 10}},
    ]
    *_, last = PullEvents("x").of(events)
    assert (last.done_bytes, last.total_bytes) == (11, 30)


def test_an_error_event_is_a_refusal() -> None:
    """The engine reports failures in the middle of a good answer."""
    with pytest.raises(Refused, match="manifest unknown"):
        list(PullEvents("x").of([{"error": "manifest unknown"}]))
