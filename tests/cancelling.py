"""Cancels a block at its n-th step, whatever that is: for tests that something holds at every await."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import trio


class CancelAtStep(trio.abc.Instrument):
    """A cancel scope that cancels itself when the task that entered it comes to its n-th step.

    `reached` says whether it came so far: a loop over growing n ends with the first that did not.
    """

    def __init__(self, step: int) -> None:
        self._left = step
        self._scope = trio.CancelScope()
        self._task: trio.lowlevel.Task | None = None
        self.reached = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Counts the steps of our task."""
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self.reached = True
                self._scope.cancel()

    def __enter__(self) -> Self:
        self._task = trio.lowlevel.current_task()
        self._scope.__enter__()
        trio.lowlevel.add_instrument(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        trio.lowlevel.remove_instrument(self)
        return self._scope.__exit__(kind, error, traceback)
