"""The fault matrix: a pairwise cover by default, all of it with `MCPGW_FAULTS=all` (`make faults`)."""

from __future__ import annotations

import os

import pytest

from tests.faults.cells import Cell, all_cells, pairwise
from tests.faults.lanes import Lanes
from tests.faults.report import Record

pytestmark = pytest.mark.slow

CELLS = all_cells() if os.environ.get("MCPGW_FAULTS") == "all" else pairwise()


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_fault(lanes: Lanes, record: Record, cell: Cell) -> None:
    """Whoever asked is told once; others notice nothing; all is well again by itself; nothing is left."""
    record.add(cell, lanes.play(cell))
