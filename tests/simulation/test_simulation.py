"""The simulation itself: it holds, it replays, and it would notice."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from msgspec import structs

from tests.simulation.runs import python, run_schedule, shrink
from tests.simulation.sabotage import SABOTAGE
from tests.simulation.schedule import Step, draw, from_json, to_json

CORPUS = Path(__file__).parent / "corpus"
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "2000"))

regressions = pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem
)


def said(*arguments: str) -> str:
    """What `python -m tests.simulation` prints, in a process of its own."""
    return python(*arguments).communicate()[0]


@pytest.mark.slow
def test_the_invariants_hold_for_thousands_of_seeds() -> None:
    """Whatever clients, servers and engine do; a seed that fails is printed, and `--seed` replays it."""
    jobs = str(os.cpu_count() or 1)
    running = python("--seeds", str(SEEDS), "--jobs", jobs)
    told = running.communicate()[0]
    print(told)
    assert running.returncode == 0, told
    counts = [int(count) for count in re.findall(r"^(\d+) seeds", told, re.MULTILINE)]
    assert sum(counts) == SEEDS


@regressions
def test_what_once_broke_holds(path: Path) -> None:
    """Each schedule that found a defect, or shows a broken actor, passes with whole ones."""
    assert run_schedule(from_json(path.read_bytes())).violations == ()


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_broken_actor_is_noticed(name: str) -> None:
    """The same schedule shows which invariant breaks when an actor is broken on purpose."""
    broken = SABOTAGE[name]
    schedule = from_json((CORPUS / f"sabotage-{name}.json").read_bytes())
    with broken.begin():
        outcome = run_schedule(schedule)
    assert broken.invariant in outcome.broken, outcome.violations


def test_every_invariant_has_a_broken_actor() -> None:
    """None of them is only written down."""
    assert {one.invariant for one in SABOTAGE.values()} == set(range(7))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 77])
def test_a_seed_replays_exactly(seed: int) -> None:
    """Two processes tell the same story, event by event."""
    first = said("--seed", str(seed))
    assert first == said("--seed", str(seed))
    assert len(first.splitlines()) > 50


def test_other_seeds_are_other_runs() -> None:
    """The hash of what happened tells them apart."""
    digests = {run_schedule(draw(seed)).digest for seed in range(1, 6)}
    assert len(digests) == 5


def test_a_schedule_survives_being_written_down() -> None:
    """What a file says is what was drawn."""
    schedule = draw(11)
    assert from_json(to_json(schedule)) == schedule


def test_shrinking_leaves_what_matters() -> None:
    """Steps that have no part in a failure go, those that have stay."""
    broken = SABOTAGE["requests"]
    schedule = from_json((CORPUS / "sabotage-requests.json").read_bytes())
    idle = tuple(Step(0.1, 0, "wait", 0, 0) for _ in range(5))
    padded = structs.replace(schedule, steps=(*idle, *schedule.steps, *idle))
    with broken.begin():
        short = shrink(padded, broken.invariant)
        assert broken.invariant in run_schedule(short).broken
    assert len(short.steps) <= len(schedule.steps)
    assert "wait" not in {step.kind for step in short.steps}
