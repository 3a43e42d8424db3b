"""What the matrix has measured: kept as JSON, a cell a line, and shown as tables in docs/reliability.md.

`python -m tests.faults.report RECORD` puts the tables into the page, between its two marks.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.faults.cells import FAULTS, MEANINGS, TARGETS, Cell, Fault, Target, all_cells
from tests.faults.play import Played

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- the matrix: written by `make faults` -->"
END: Final = "<!-- end of the matrix -->"
_DEAD: Final = frozenset({"SIGKILL", "SIGTERM", "exit 0"})

Row = tuple[Cell, Played]


class Record:
    """The outcomes of cells, written down as they come: an interrupted run leaves what it had."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.write_text("", encoding="utf-8")

    def add(self, cell: Cell, played: Played) -> None:
        """Takes down one."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**cell._asdict(), **played._asdict()}) + "\n")


def read(path: Path) -> list[Row]:
    """What a `Record` holds."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        cell = Cell(*(row[name] for name in Cell._fields))
        rows.append((cell, Played(*(row[name] for name in Played._fields))))
    return rows


def render(rows: Sequence[Row]) -> str:
    """The tables, as Markdown."""
    played = len({cell for cell, _ in rows})
    lines = [
        f"{played} of {len(all_cells())} cells are in this record; all that is asserted held in each of them.",
        "",
        "| done to | fault | the request under way | recovered after, p50 / p95 |",
        "|---|---|---|---|",
    ]
    for target in TARGETS:
        for fault in FAULTS:
            mine = [row for row in rows if row[0].target == target and row[0].fault == fault]
            if mine:
                lines.append(_line(target, fault, mine))
    deaths = [
        played.told_ms
        for cell, played in rows
        if cell.target == "container"
        and cell.fault in _DEAD
        and cell.phase in {"mid-call", "mid-stream", "draining"}
        and played.told_ms is not None
    ]
    if deaths:
        lines += [
            "",
            f"A server's death reaches its client {_times(deaths)} after the signal (p50 / p95 of {len(deaths)}).",
        ]
    return "\n".join(lines)


def _line(target: Target, fault: Fault, rows: Sequence[Row]) -> str:
    told = Counter(played.outcome for _, played in rows if played.outcome not in {None, "none"})
    words = ", ".join(f"{name} {count}" for name, count in sorted(told.items()))
    times = _times([played.recovered_ms for _, played in rows])
    return f"| {target} | {fault}: {MEANINGS[target][fault]} | {words or '–'} | {times} |"


def _times(values: Sequence[float]) -> str:
    """Median and 95th percentile; of few values the latter is the greatest."""
    ordered = sorted(values)
    greatest = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"{_short(statistics.median(ordered))} / {_short(greatest)}"


def _short(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms"


def put_into(page: str, text: str) -> str:
    """The page with other tables between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"the page lacks {BEGIN} or {END}"
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main(arguments: Sequence[str]) -> None:
    """The command."""
    (record,) = arguments
    text = render(read(Path(record)))
    PAGE.write_text(put_into(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
