"""gateway/runtimes/link_choice.py: what a failed trial says of the engine, and what of the image."""

from __future__ import annotations

import platform

import msgspec
import pytest

from gateway.errors import BackendError
from gateway.home import Home
from gateway.runtimes.engine_facts import EngineFacts, ImageFacts
from gateway.runtimes.engine_http import Refused
from gateway.runtimes.link_choice import LinkChoice, why_not_here
from gateway.runtimes.link_fifo import NotOpened
from gateway.runtimes.link_notes import LinkNote
from tests.unit.gateway.runtimes.test_container_config import LAUNCH

IMAGE = ImageFacts("sha256:1", entrypoint=("run",))
OTHER = ImageFacts("sha256:2", entrypoint=("run",))
NO_SHELL = NotOpened("ended: [FATAL tini (7)] exec /bin/sh failed: No such file", died=True)
SILENCE = NotOpened("nothing came through them within 3 s", died=False)
HERE = EngineFacts("28", "1.50", maps_users=False, kernel=platform.release())


@pytest.fixture
def choice(home: Home) -> LinkChoice:
    """A choice that knows nothing yet."""
    return LinkChoice(home)


@pytest.mark.parametrize(
    ("facts", "in_container", "local", "why"),
    [
        (HERE, False, True, ""),
        (HERE, True, True, "runs in a container"),
        (HERE, False, False, "another machine"),
        (msgspec.structs.replace(HERE, kernel="6.6-linuxkit"), False, True, "kernel 6.6-linuxkit"),
    ],
)
def test_only_engines_on_our_kernel_are_tried(
    facts: EngineFacts, *, in_container: bool, local: bool, why: str
) -> None:
    """A pipe is an object of one kernel, and its path one of a file system that both see."""
    found = why_not_here(facts, in_container=in_container, local=local)
    assert why in found
    assert bool(why) == bool(found)


def test_an_image_without_a_shell_is_tried_once(choice: LinkChoice) -> None:
    """Other images are tried still, and the next gateway knows by the note."""
    note = choice.failed("s", IMAGE, NO_SHELL)
    assert note == LinkNote("attach", "its image has no /bin/sh", "sha256:1")
    assert choice.why_not(LAUNCH, IMAGE) == "its image has no /bin/sh"
    assert not choice.why_not(LAUNCH, OTHER)
    assert not choice.why_not_any()
    later = LinkChoice(choice.home)
    later.recall("s", note)
    assert later.why_not(LAUNCH, IMAGE) == "its image has no /bin/sh"
    assert not later.why_not(LAUNCH, OTHER)


@pytest.mark.parametrize("error", [SILENCE, Refused(400, "bind source path does not exist")])
def test_a_first_trial_that_comes_to_nothing_is_the_engines_doing(
    choice: LinkChoice, error: BackendError
) -> None:
    """It is not tried again with this engine, in this life; the next gateway tries again."""
    note = choice.failed("s", IMAGE, error)
    assert choice.why_not_any() == str(error)
    assert note == LinkNote("attach", str(error))


def test_once_it_has_worked_a_failure_is_the_images_doing(choice: LinkChoice) -> None:
    """One slow image does not take the pipes from the others."""
    assert choice.opened("good") == LinkNote("fifo")
    choice.failed("s", IMAGE, SILENCE)
    assert not choice.why_not_any()
    assert choice.why_not(LAUNCH, IMAGE)
    assert not choice.why_not(LAUNCH, OTHER)


def test_a_container_that_died_says_nothing_of_the_engine(choice: LinkChoice) -> None:
    """For this life its image is not tried again; it may have been an accident, so nothing is kept of it."""
    note = choice.failed("s", IMAGE, NotOpened("ended: out of memory", died=True))
    assert not choice.why_not_any()
    assert choice.why_not(LAUNCH, IMAGE) == "ended: out of memory"
    assert note == LinkNote("attach", "ended: out of memory")


def test_only_news_is_written(choice: LinkChoice) -> None:
    """A healthy start costs no file."""
    choice.recall("s", LinkNote("fifo"))
    assert choice.knows("s")
    assert choice.opened("s") is None
    assert choice.attached("s", "x", IMAGE) == LinkNote("attach", "x")
    assert choice.attached("s", "x", IMAGE) is None


def test_switched_off(home: Home) -> None:
    """Then nothing is tried, and what was known of the image is not forgotten."""
    choice = LinkChoice(home, "attach")
    choice.recall("s", LinkNote("attach", "its image has no /bin/sh", "sha256:1"))
    why = choice.why_not_any()
    assert why == "switched off by --link attach"
    assert choice.attached("s", why, None) == LinkNote("attach", why, "sha256:1")
