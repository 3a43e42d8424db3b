"""The starts of one server that failed in a row: its circuit.

Closed while starts succeed. After `BEFORE_PAUSE` failures it is open: nothing is started for a while, which grows. Then it
is half open: one start is tried, and decides.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

import trio

from actors.kit.backoff import Backoff
from gateway import limits
from gateway.errors import GatewayError, Unavailable

BEFORE_PAUSE: Final = 3
"""Starts that may fail in a row before further ones wait: one bad start must not delay the next call."""


class FailedStarts:
    """Counts them, and says when the next start may be.

    Args:
        random: jitter of the pauses.
    """

    def __init__(self, random: Random) -> None:
        self.count = 0
        self.paused_until = -math.inf
        """On trio's clock."""
        self.last_error: GatewayError | None = None
        """Why a server ended last, whether it had started or not."""
        self._trying = False
        """Half open, and the one start is under way."""
        self._backoff = Backoff(
            base_s=limits.START_BACKOFF_S,
            cap_s=limits.START_BACKOFF_CAP_S,
            random=random,
            calm_s=limits.START_BACKOFF_CAP_S,
        )

    def begun(self) -> None:
        """A start is under way."""
        self._trying = self.count >= BEFORE_PAUSE

    def given_up(self) -> None:
        """A start was called off: it tells nothing."""
        self._trying = False

    def add(self) -> None:
        """One more start failed."""
        self._trying = False
        self.count += 1
        if self.count >= BEFORE_PAUSE:
            self.paused_until = trio.current_time() + self._backoff.next_s()

    def succeeded(self) -> None:
        """A start did not fail."""
        self._trying = False
        self.count = 0
        self._backoff.reset()

    def forget(self) -> None:
        """Something that may have caused them was changed."""
        self._trying = False
        self.count = 0
        self.paused_until = -math.inf

    def refusal(self, server: str) -> Unavailable | None:
        """Why that server is not started now, None if it may be."""
        left = self.paused_until - trio.current_time()
        if left > 0:
            again = f"in {max(1, round(left))} s"
        elif self._trying:
            again = "just now"
        else:
            return None
        return Unavailable(
            f"server {server} failed to start {self.count} times in a row, it is tried again {again}; "
            f"the last reason: {self.last_error}"
        )
