"""Taking turns."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Literal, cast

import msgspec
import pytest

from bench.engine import Engine
from bench.errors import Broken
from bench.plan import QUICK
from bench.program import GatewayHome, Program
from bench.rounds import measure_calls
from bench.subjects import Arena, Opened, Subject

_PLAN = msgspec.structs.replace(QUICK, rounds=3, alone_s=0, crowd_s=0, depth=2, warm_up_s=0)


class _Client:
    """Writes down its turns; breaks at the turn it is told."""

    def __init__(self, name: str, turns: list[str], breaks_at: int | None) -> None:
        self._name = name
        self._turns = turns
        self._left = breaks_at

    def alone(self, _seconds: float) -> list[int]:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Broken("it fell over")
        self._turns.append(self._name)
        return [1000, 2000, 3000]

    def crowd(self, depth: int, _seconds: float) -> int:
        return depth


def _subject(
    name: str,
    turns: list[str],
    kind: Literal["floor", "gateway", "peer"] = "gateway",
    breaks_at: int | None = None,
) -> Subject:
    client = _Client(name, turns, breaks_at)
    return Subject(title=name, kind=kind, open=lambda _arena: Opened(client, None))


def _arena() -> Arena:
    """Fakes open nothing, so there is nothing in it."""
    nothing = object()
    return Arena(
        cast("Engine", nothing),
        cast("Program", nothing),
        cast("GatewayHome", nothing),
        Path(),
        ExitStack(),
    )


def _ignore(_sentence: str) -> None:
    """Hears no progress."""


def test_subjects_take_turns_and_another_one_begins_each_round() -> None:
    """Nobody always comes right after the same neighbour's load."""
    turns: list[str] = []
    subjects = {name: _subject(name, turns) for name in "abc"}
    figures, skipped = measure_calls(_arena(), _PLAN, subjects, _ignore)
    assert "".join(turns) == "abc" + "abc" + "bca" + "cab"
    assert [(found.subject, len(found.alone), len(found.crowd)) for found in figures] == [
        (name, 3, 3) for name in "abc"
    ]
    assert figures[0].alone[0].p50_us == 2.0
    assert skipped == ()


@pytest.mark.parametrize("breaks_at", [0, 2])
def test_a_peer_that_breaks_is_left_out_with_its_reason(breaks_at: int) -> None:
    """The run goes on; half of a peer's figures are none."""
    turns: list[str] = []
    subjects = {
        "ours": _subject("ours", turns),
        "theirs": _subject("theirs", turns, "peer", breaks_at),
    }
    figures, skipped = measure_calls(_arena(), _PLAN, subjects, _ignore)
    assert [found.subject for found in figures] == ["ours"]
    assert skipped == ("theirs: it fell over",)


def test_a_gateway_that_breaks_ends_the_run() -> None:
    """There is no run without the gateway; the sentence names the subject."""
    with pytest.raises(Broken, match="ours: it fell over"):
        measure_calls(_arena(), _PLAN, {"ours": _subject("ours", [], breaks_at=1)}, _ignore)
