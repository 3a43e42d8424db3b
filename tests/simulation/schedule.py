"""What happens in one run, drawn from a seed: the servers' characters, and the steps. Pure: nothing here acts.

A schedule is data. It can be written down, read again, and made shorter; what a step means is decided when it is done, by
its numbers and by what exists then (`index % len(clients)`), so that a schedule with steps taken out still makes sense.
"""

from __future__ import annotations

import json
from random import Random
from typing import Final

import msgspec

ISOLATIONS: Final = ("session", "session", "principal", "call", "shared")
TROUBLES: Final = (
    "slow",
    "mute",
    "error",
    "twice",
    "unknown",
    "garbage",
    "flood",
    "ask",
    "progress",
    "die",
    "changed",
    "wrong",
    "input",
)
"""What a call may meet; "ok" apart."""
GREETINGS: Final = ("ok", "ok", "ok", "ok", "ok", "slow", "never", "error", "die")
ENDS: Final = ("settle", "settle", "drain", "hurry", "cancel")

WEIGHTS: Final = {
    "call": 30,
    "open": 8,
    "open_modern": 3,
    "list": 6,
    "cancel": 6,
    "answer": 10,
    "retry": 5,
    "reuse_id": 2,
    "close": 3,
    "vanish": 3,
    "attach": 2,
    "detach": 2,
    "bad": 2,
    "level": 1,
    "subscribe": 2,
    "listen": 2,
    "unlisten": 1,
    "burst": 3,
    "wait": 6,
    "kill": 6,
    "starts_fail": 2,
    "starts_hang": 3,
    "starts_well": 4,
    "engine_slow": 1,
    "engine_gone": 1,
    "engine_back": 3,
    "crash_pool": 2,
    "crash_actor": 2,
    "reload": 4,
    "disk": 1,
    "jump": 1,
    "announce": 2,
}
"""How often each kind of step is drawn."""


class Character(msgspec.Struct, frozen=True, kw_only=True):
    """One server: how it is pooled, and how it behaves."""

    name: str
    era: str = "legacy"
    isolation: str = "session"
    max: int = 3
    max_inflight: int = 4
    warm: int = 0
    idle_s: float = 60.0
    timeout_s: float = 20.0
    init_timeout_s: float = 10.0
    long_lived: bool = False
    latency_s: float = 0.01
    start_s: float = 0.2
    greeting: str = "ok"
    obeys_eof: bool = True
    dies_at: int = 0
    """The n-th call of a container that kills it; 0: none."""
    troubles: tuple[str, ...] = ()
    odds: float = 0.0
    """How many calls meet one of the troubles."""
    retry: bool = False
    """Calls whose outcome is unknown are to be sent once more where that does no harm."""
    annotated: bool = False
    """Its tool says that it reads only."""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One step: after `after_s`, and then so many turns of the scheduler, what is done with which of those there are."""

    after_s: float
    turns: int
    kind: str
    a: int
    b: int


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. `seed` also decides how tasks are scheduled, and what servers do."""

    seed: int
    servers: tuple[Character, ...]
    steps: tuple[Step, ...]
    end: str = "settle"


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    random = Random(seed)
    # The first one has no troubles of its own, nor is anything done to it: no others' troubles may be felt there.
    steady = Character(
        name="steady", era=random.choice(("legacy", "modern")), isolation=random.choice(ISOLATIONS), max=20
    )  # fmt: skip
    others = [
        _character(random, f"s{number}", seed + number) for number in range(1, random.randint(2, 4))
    ]
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    # Some runs have few kinds of faults, so that what they hide behind is seen as well.
    for index, kind in enumerate(kinds):
        if weights[index] <= _RARE and random.random() < _LEFT_OUT:
            weights[index] = 0
        del kind
    drawn = random.choices(kinds, weights, k=random.randint(20, 70))
    steps = [Step(0.0, 0, "open", random.randrange(100), random.randrange(100))]
    steps += [
        Step(_pause(random), random.randrange(6), kind, random.randrange(100), random.randrange(100))
        for kind in drawn
    ]  # fmt: skip
    return Schedule(
        seed=seed, servers=(steady, *others), steps=tuple(steps), end=random.choice(ENDS)
    )


_RARE: Final = 6
_LEFT_OUT: Final = 0.4


def _character(random: Random, name: str, seed: int) -> Character:
    troubles = tuple(random.sample(TROUBLES, random.randint(0, 4)))
    return Character(
        name=name,
        era=random.choice(("legacy", "legacy", "modern", "both")),
        isolation=random.choice(ISOLATIONS),
        max=random.randint(1, 4),
        max_inflight=random.choice((1, 2, 4, 64)),
        warm=random.choice((0, 0, 0, 1, 2)),
        idle_s=random.choice((5.0, 60.0)),
        timeout_s=random.choice((5.0, 20.0, 60.0)),
        init_timeout_s=random.choice((3.0, 10.0)),
        long_lived=random.random() < 0.2,
        latency_s=random.choice((0.0, 0.01, 0.5)),
        start_s=random.choice((0.0, 0.2, 2.0)),
        greeting=random.choice(GREETINGS),
        obeys_eof=random.random() < 0.8,
        dies_at=random.choice((0, 0, 0, 1, 2, 5)),
        troubles=troubles,
        odds=random.choice((0.2, 0.6)) if troubles else 0.0,
        retry=seed % 4 > 0,
        annotated=seed % 2 > 0,
    )


def _pause(random: Random) -> float:
    """Mostly none or a moment, so that steps meet what is under way; now and then a long one."""
    chance = random.random()
    if chance < 0.35:
        return 0.0
    if chance < 0.85:
        return round(random.uniform(0.001, 1.5), 3)
    return round(random.uniform(2.0, 70.0), 3)


def to_json(schedule: Schedule) -> str:
    """The schedule as text, one step a line."""
    document = msgspec.to_builtins(schedule)
    steps = ",\n  ".join(json.dumps(step) for step in document.pop("steps"))
    head = json.dumps(document, indent=1)
    return f'{head[:-2]},\n "steps": [\n  {steps}\n ]\n}}\n'


def from_json(text: str | bytes) -> Schedule:
    """Reads what `to_json` wrote."""
    return msgspec.json.decode(text, type=Schedule)
