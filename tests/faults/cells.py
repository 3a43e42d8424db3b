"""The matrix: which fault, done to what, in which phase; what a client may be told then; and which cells cover all pairs.

Pure: must not know how a fault is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, product
from typing import Final, Literal, NamedTuple, get_args

Fault = Literal["SIGKILL", "SIGSTOP", "SIGTERM", "exit 0", "hang", "flood", "garbage"]
Target = Literal["gateway", "container", "dockerd", "client", "remote server"]
Phase = Literal["idle", "handshake", "list", "mid-call", "mid-stream", "draining"]
Outcome = Literal["answer", "error", "cut", "none"]
"""What became of the request that was under way. `cut`: its connection ended; `none`: its client was the one to end."""

FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
TARGETS: Final[tuple[Target, ...]] = get_args(Target)
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)

MEANINGS: Final[Mapping[Target, Mapping[Fault, str]]] = {
    "gateway": {
        "SIGKILL": "SIGKILL; another one of the same home is started",
        "SIGSTOP": "stopped for 1 s",
        "SIGTERM": "SIGTERM; another one is started",
        "exit 0": "SIGINT, after which it exits with 0; another one is started",
        "hang": "200 half-open connections are made to it and held",
        "flood": "another client asks 200 times at once",
        "garbage": "rubbish is sent to its port",
    },
    "container": {
        "SIGKILL": "SIGKILL to the server in it",
        "SIGSTOP": "SIGSTOP to the server, for good",
        "SIGTERM": "SIGTERM to the server, which ends",
        "exit 0": "the server ends by itself with status 0",
        "hang": "the server reads and answers no more",
        "flood": "the server writes log messages without end",
        "garbage": "the server writes rubbish without end",
    },
    "dockerd": {
        "SIGKILL": "SIGKILL; it is started again",
        "SIGSTOP": "stopped for 1 s",
        "SIGTERM": "SIGTERM, with which it ends its containers; it is started again",
        "exit 0": "the same with live-restore: its containers live on",
        "hang": "for 1 s it answers no new connection",
        "flood": "for 1 s it answers new connections with bytes without end",
        "garbage": "for 1 s it answers new connections with rubbish",
    },
    "client": {
        "SIGKILL": "SIGKILL",
        "SIGSTOP": "stopped for 1 s",
        "SIGTERM": "SIGTERM, of which it dies",
        "exit 0": "it exits without a goodbye",
        "hang": "it reads no more, and keeps its connections",
        "flood": "it asks 200 times at once",
        "garbage": "it sends rubbish as well",
    },
    "remote server": {
        "SIGKILL": "SIGKILL; it is started again",
        "SIGSTOP": "stopped for 1 s",
        "SIGTERM": "SIGTERM; it is started again",
        "exit 0": "it ends with status 0; it is started again",
        "hang": "it answers nothing; after 1 s it is started again",
        "flood": "its answers have no end; after 1 s it is started again",
        "garbage": "it answers with rubbish; after 1 s it is started again",
    },
}
"""What each fault is, by what it is done to."""


class Cell(NamedTuple):
    """One place of the matrix."""

    fault: Fault
    target: Target
    phase: Phase

    def __str__(self) -> str:
        """As a test's id."""
        return f"{self.fault}-{self.target}-{self.phase}".replace(" ", "_")


def all_cells() -> list[Cell]:
    """The whole matrix."""
    return [Cell(*parts) for parts in product(FAULTS, TARGETS, PHASES)]


def pairwise() -> list[Cell]:
    """Few cells that hold every pair of fault and target, fault and phase, target and phase. The same ones every time."""
    open_pairs = {pair for cell in all_cells() for pair in _pairs(cell)}
    chosen = []
    while open_pairs:
        best = max(all_cells(), key=lambda cell: len(open_pairs & _pairs(cell)))
        open_pairs -= _pairs(best)
        chosen.append(best)
    return chosen


def _pairs(cell: Cell) -> set[tuple[tuple[str, str], ...]]:
    return set(combinations(zip(cell._fields, cell, strict=True), 2))


def told(cell: Cell) -> frozenset[Outcome]:
    """What the client may be told of the request that is under way; nothing is under way in an idle cell."""
    if cell.phase == "idle":
        return frozenset()
    return frozenset(_TOLD[cell.target](cell))


def _gateway(cell: Cell) -> Iterable[Outcome]:
    match cell.fault:
        case "SIGKILL":
            return ("cut",)
        case "SIGTERM" | "exit 0" if cell.phase == "draining":
            # A second signal cuts the drain short.
            return ("cut", "error")
        case _:
            # The first one lets what is under way finish, and so does everything else.
            return ("answer",)


def _container(cell: Cell) -> Iterable[Outcome]:
    # A list does without the server that is in trouble.
    return ("answer",) if cell.phase == "list" else ("error",)


def _dockerd(cell: Cell) -> Iterable[Outcome]:
    if cell.phase == "list" or cell.fault in {"SIGSTOP", "hang", "flood", "garbage"}:
        return ("answer",)
    # The connection to the container ends with dockerd.
    return ("error",)


def _client(cell: Cell) -> Iterable[Outcome]:
    return ("none",) if cell.fault in {"SIGKILL", "SIGTERM", "exit 0", "hang"} else ("answer",)


def _remote(cell: Cell) -> Iterable[Outcome]:
    if cell.phase == "list" or cell.fault == "SIGSTOP":
        return ("answer",)
    return ("error",)


_TOLD: Final = {
    "gateway": _gateway,
    "container": _container,
    "dockerd": _dockerd,
    "client": _client,
    "remote server": _remote,
}
