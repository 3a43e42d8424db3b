"""Plays several cells at a time, as most of each is waiting: deadlines, graces, starts. What hurts the engine is alone with it.

Must not know what is played in a cell.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Final

from tests.faults.cells import Cell
from tests.faults.play import Played, play
from tests.faults.stage import Stage

LANES: Final = 3
"""On two cores; who records times plays one at a time."""


class Lanes:
    """Cells under way. Made by `open_lanes`.

    Args:
        stages: on one engine; each plays one cell at a time.
        pool: with as many threads.
        cells: what will be asked for.
    """

    def __init__(
        self, stages: Sequence[Stage], pool: ThreadPoolExecutor, cells: Iterable[Cell]
    ) -> None:
        self._free: queue.SimpleQueue[Stage] = queue.SimpleQueue()
        for stage in stages:
            self._free.put(stage)
        self._playing: dict[Cell, Future[Played]] = {
            cell: pool.submit(self._play, cell) for cell in cells if cell.target != "dockerd"
        }

    def play(self, cell: Cell) -> Played:
        """What came of a cell; raises what `play.play` raised."""
        if cell not in self._playing:
            wait(self._playing.values())
            return self._play(cell)
        return self._playing[cell].result()

    def _play(self, cell: Cell) -> Played:
        stage = self._free.get()
        try:
            return play(stage, cell)
        finally:
            self._free.put(stage)


@contextmanager
def open_lanes(stages: Sequence[Stage], cells: Iterable[Cell]) -> Iterator[Lanes]:
    """Begins to play. What has not begun at the end of the block is not played."""
    pool = ThreadPoolExecutor(len(stages))
    try:
        yield Lanes(stages, pool, cells)
    finally:
        pool.shutdown(cancel_futures=True)
