"""What was measured, as it is kept in `bench/results/`. Must not know how it was measured, or how it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from bench.machine import Machine
from bench.plan import Plan

REFERENCE: Final = Path(__file__).parent / "results" / "reference.json"
"""The committed run that docs/performance.md shows."""


class RowFigures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row, by round: what each round has given, by name. Nothing where the row could not be measured."""

    number: int
    rounds: tuple[dict[str, float], ...] = ()
    asleep: tuple[dict[str, float], ...] = ()
    """Of a row that is measured with spinners on the cores: the rounds without them."""
    not_yet: str = ""
    """What this build of the gateway lacks for it."""
    failed: str = ""
    """Why the measurement broke."""


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """One stint of calls one after the other. CPU is per call, in µs."""

    calls: int
    p50_us: float
    p99_us: float
    cpu_us: float | None
    """Of the process under test and its children; None where there is none. The engine's CPU is in no figure."""
    client_cpu_us: float


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """One stint with `Plan.depth` calls in flight. CPU is per call, in µs."""

    calls: int
    per_s: float
    cpu_us: float | None
    client_cpu_us: float


class CallFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One subject of the comparison with peers: its stints, by round."""

    subject: str
    alone: tuple[Alone, ...]
    crowd: tuple[Crowd, ...]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the harness."""

    schema: int = 2
    taken: str
    """The day, in UTC."""
    programs: dict[str, str]
    """What was measured, with its version."""
    machine: Machine
    plan: Plan
    rows: tuple[RowFigures, ...]
    peers: tuple[CallFigures, ...] = ()
    """The comparison, where it was asked for."""
    skipped: tuple[str, ...] = ()
    """Peers that could not be measured, each with its reason."""


def write_results(results: Results, path: Path) -> None:
    """Writes a run as indented JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read_results(path: Path) -> Results:
    """Reads a run."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
