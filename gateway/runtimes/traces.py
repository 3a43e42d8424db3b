"""What gateways have in their home's `run/` while they run, and leave there when they are killed. Changes nothing.

Everything in there begins with its gateway's instance id; the suffix says what it is. Must not know engines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

import msgspec

from gateway.home import Home
from gateway.runtimes.ownership import gateway_lives
from gateway.runtimes.process_records import recorded_process

TraceKind = Literal["lock", "process", "pipes", "socket"]

_KINDS: Final[dict[str, TraceKind]] = {
    ".lock": "lock",
    ".new": "lock",
    ".process": "process",
    ".pipes": "pipes",
    ".sock": "socket",
}
_NAME: Final = re.compile(r"([0-9a-f]{32})\..+")


class Trace(msgspec.Struct, frozen=True):
    """One thing of one gateway. `state` says what became of it, `alive` whether that gateway runs."""

    kind: TraceKind
    name: str
    server: str
    state: str
    alive: bool


def find_traces(home: Home) -> list[Trace]:
    """All of them, in the order of their names; blocking. A home that does not exist has none."""
    return [
        _trace(path, kind, alive=gateway_lives(home, found[1]))
        for path in sorted(home.run.glob("*"))
        if (found := _NAME.fullmatch(path.name)) and (kind := _KINDS.get(path.suffix))
    ]


def _trace(path: Path, kind: TraceKind, *, alive: bool) -> Trace:
    if kind == "process":
        server, process, runs = recorded_process(path)
        return Trace(kind, process, server, "running" if runs else "ended", alive)
    return Trace(kind, path.name, "", "held" if kind == "lock" and alive else "", alive)
