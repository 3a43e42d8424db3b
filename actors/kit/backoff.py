"""How long to pause before the next attempt. Must not know what is attempted, and never sleeps itself."""

from __future__ import annotations

from random import Random

import msgspec
import trio

from gateway.limits import RESTART_BACKOFF_CAP_S, RESTART_BACKOFF_S, RESTART_CALM_S


class BackoffPolicy(msgspec.Struct, frozen=True):
    """The numbers of a `Backoff`, in seconds."""

    base_s: float = RESTART_BACKOFF_S
    cap_s: float = RESTART_BACKOFF_CAP_S
    calm_s: float = RESTART_CALM_S


class Backoff:
    """Pauses that grow with each failure: anything from 0 to base·2ⁿ, at most `cap_s`.

    The whole range is drawn from ("full jitter"), so that many who failed together do not come back together.

    Args:
        base_s: Bound of the first pause.
        cap_s: Bound of any pause.
        random: Where the draws come from.
        calm_s: A failure so long after the end of the last pause is a first one again.
    """

    def __init__(self, base_s: float, cap_s: float, random: Random, calm_s: float) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random
        self._calm_s = calm_s
        self._bound_s = base_s
        self._pause_end = float("-inf")

    def next_s(self) -> float:
        """The pause after a failure that has just happened."""
        now = trio.current_time()
        if now - self._pause_end >= self._calm_s:
            self.reset()
        pause_s = self._random.uniform(0.0, min(self._cap_s, self._bound_s))
        # Not 2**n: a float of it overflows after a day of failures.
        self._bound_s = min(self._cap_s, self._bound_s * 2)
        self._pause_end = now + pause_s
        return pause_s

    def reset(self) -> None:
        """The attempt succeeded: the next failure is a first one."""
        self._bound_s = self._base_s

    def __repr__(self) -> str:
        """`<Backoff next ≤ 0.4 s>`."""
        return f"<Backoff next ≤ {min(self._cap_s, self._bound_s):.3g} s>"
