"""SIGTERM and SIGHUP as Ctrl-C: what a command has opened is closed first. Must not know any command."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Final, TypeVar

import trio

_T = TypeVar("_T")
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


async def interruptible(work: Callable[[], Awaitable[_T]]) -> _T:
    """Does the work, which a signal that ends programs cancels. One that is ignored (`nohup`) stays so.

    Raises:
        KeyboardInterrupt: a signal came before the end.
    """
    scope = trio.CancelScope()
    soon = trio.lowlevel.current_trio_token().run_sync_soon

    def end(_number: int, _frame: FrameType | None) -> None:
        soon(scope.cancel)

    # No signal receiver: it needs a task beside the work, and so a nursery that wraps the errors of both.
    ours = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        with scope:
            return await work()
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt
