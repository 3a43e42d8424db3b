"""The starts of one server that failed in a row, and how long further ones wait for it."""

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
        self._backoff = Backoff(
            base_s=limits.START_BACKOFF_S,
            cap_s=limits.START_BACKOFF_CAP_S,
            random=random,
            calm_s=limits.START_BACKOFF_CAP_S,
        )

    def add(self) -> None:
        """One more start failed."""
        self.count += 1
        if self.count >= BEFORE_PAUSE:
            self.paused_until = trio.current_time() + self._backoff.next_s()

    def succeeded(self) -> None:
        """A start did not fail."""
        self.count = 0
        self._backoff.reset()

    def forget(self) -> None:
        """Something that may have caused them was changed."""
        self.count = 0
        self.paused_until = -math.inf

    def refusal(self, server: str) -> Unavailable | None:
        """Why that server is not started now, None if it may be."""
        left = self.paused_until - trio.current_time()
        if left <= 0:
            return None
        return Unavailable(
            f"server {server} failed to start {self.count} times in a row, it is tried again "
            f"in {left:.0f} s; the last reason: {self.last_error}"
        )
