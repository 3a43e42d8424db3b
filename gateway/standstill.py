"""Sleeps that know when the process stood still: stopped by a signal, in a machine that was suspended, or starved.

Must not know what is waited for.
"""

from __future__ import annotations

import trio

from gateway import limits


async def sleep_awake(seconds: float) -> float:
    """Sleeps for so long; again where the process stood still meanwhile.

    Whoever looks for what is overdue then looks late: answers and requests that came in that time lie in pipes and sockets,
    and are read during the next sleep. After `limits.STANDSTILLS` of them it returns all the same, so that a loop that is
    always late still ends what is overdue.

    Returns:
        How long the process stood still, in seconds; 0 where it did not.
    """
    still_s = 0.0
    for _ in range(1 + limits.STANDSTILLS):
        due = trio.current_time() + seconds
        await trio.sleep_until(due)
        late_s = trio.current_time() - due
        if late_s <= limits.STANDSTILL_S:
            break
        still_s += late_s
    return still_s
