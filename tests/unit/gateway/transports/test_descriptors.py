"""The limit of open files is raised, as far as that goes."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from gateway.transports.descriptors import raise_descriptor_limit


@pytest.fixture
def lowered() -> Iterator[int]:
    """A soft limit of 300 for one test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
    yield 300
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised(lowered: int) -> None:
    """To what is wanted, and the hard one stays."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert raise_descriptor_limit(lowered + 50) == lowered + 50
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (lowered + 50, hard)


def test_a_higher_limit_stays(lowered: int) -> None:
    """An operator may have wanted it."""
    assert raise_descriptor_limit(lowered - 50) == lowered
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == lowered


def test_the_hard_limit_is_the_end_of_it(lowered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root could go beyond."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (lowered, 400))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limit: asked.append(limit))
    assert raise_descriptor_limit(1000) == 400
    assert asked == [(400, 400)]


def test_a_system_that_refuses_is_no_reason_to_fail(
    lowered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer clients at a time, then."""

    def refuse(_which: int, _limit: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_descriptor_limit(1000) == lowered
