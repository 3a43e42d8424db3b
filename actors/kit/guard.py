"""A wall between tasks of one nursery: a failed request must not cancel its siblings. Must not know what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

Ts = TypeVarTuple("Ts")


async def guard(
    on_error: Callable[[Exception], object],
    function: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
) -> None:
    """Runs `function(*args)`; an Exception goes to `on_error`, only a BaseException leaves.

    Use: `nursery.start_soon(guard, on_error, function, *args)`.
    """
    try:
        await function(*args)
    except Exception as error:  # noqa: BLE001 — the point of a guard; `on_error` answers for it
        on_error(error)
