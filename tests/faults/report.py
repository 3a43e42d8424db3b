"""What the matrix has measured, kept as JSON and shown as tables in docs/reliability.md."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.faults.cells import FAULTS, MEANINGS, PHASES, TARGETS, Cell
from tests.faults.play import Played


class Record:
    """The outcomes of cells, as they come."""

    def __init__(self) -> None:
        self.rows: list[tuple[Cell, Played]] = []

    def add(self, cell: Cell, played: Played) -> None:
        """Takes down one."""
        self.rows.append((cell, played))

    def write(self, path: Path) -> None:
        """As JSON, a cell a line."""
        lines = [json.dumps({**cell._asdict(), **played._asdict()}) for cell, played in self.rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Record:
        """What `write` has written."""
        record = cls()
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            cell = Cell(*(row[name] for name in Cell._fields))
            record.add(cell, Played(*(row[name] for name in Played._fields)))
        return record
