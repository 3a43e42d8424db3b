"""What a row of the table is: a measure, its targets, and how one round of it is played. Must not know any row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal

import msgspec

from bench.plan import Plan
from bench.stage import Stage

Figures = dict[str, float]
"""What one round has given, by name; a name ends in its unit."""

Play = Callable[[int], Figures]
"""Plays the round of that number: every subject has its turn, and another one begins each round."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One promise: a figure, or its ratio to another figure of the same round."""

    promise: str
    of: str
    against: str = ""
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""
    judged: Literal["median", "upper"] = "median"
    """By the median over the rounds, or by the upper bound of the interval that holds it (95 %)."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Its figures come by round; rounds are what medians and extremes are taken of."""

    number: int
    title: str
    targets: tuple[Target, ...]
    open: Callable[[Stage, Plan], AbstractContextManager[Play]]
    kept_awake: bool = False
    """Whether its rounds are played with spinners on the cores; then they are played without, too."""
    paired: bool = False
    """Whether it takes `Plan.paired_rounds`."""

    def rounds(self, plan: Plan) -> int:
        """How many rounds it takes."""
        if self.paired:
            return plan.paired_rounds
        return plan.awake_rounds if self.kept_awake else plan.rounds


def in_turn(number: int, acts: Mapping[str, Callable[[], Figures]]) -> Figures:
    """Does each act; its figures get its name before theirs. Who begins changes from round to round."""
    names: Sequence[str] = list(acts)
    first = number % len(names)
    found: Figures = {}
    for name in (*names[first:], *names[:first]):
        found |= {f"{name}_{figure}": value for figure, value in acts[name]().items()}
    return found
