"""What the spares of one server are sized and greeted by: who came last, how often somebody comes, how long starts take.

Keeps the history; `actors.sizing` decides. Must not start or stop anything.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from actors.arrivals import Arrivals
from actors.assignment import Slot
from actors.sizing import Forecast, forecast, missing_kinds
from actors.tally import Tally
from gateway import limits
from gateway.catalog.model import Pooling
from gateway.mcp.profile import NEUTRAL, ClientProfile


class Spares:
    """The history of one server's clients.

    Args:
        tally: how long starts took.
    """

    def __init__(self, tally: Tally) -> None:
        self.newest = NEUTRAL
        """The client that came last: what is started for lists is greeted in its name."""
        self._tally = tally
        self._arrivals = Arrivals()
        self._came: list[float] = []
        """Arrivals that the history does not have yet: it takes them in when it is asked, and not beside a call."""
        self._recent: deque[str] = deque(maxlen=limits.RECENT_PROFILES)
        """The kinds of the clients that came last."""
        self._profiles: dict[str, ClientProfile] = {}
        """Those of `_recent`, by kind."""

    def expect(self, profile: ClientProfile, kind: str) -> None:
        """A client with that profile came; spares of that kind may be for it."""
        self.newest = profile
        self._recent.append(kind)
        self._profiles[kind] = profile
        if len(self._profiles) > limits.RECENT_PROFILES:
            self._profiles = {kind: self._profiles[kind] for kind in set(self._recent)}

    def arrived(self, now: float) -> None:
        """An owner came who needs a container of its own."""
        self._came.append(now)

    def refill_at(self) -> float:
        """When to start new ones: a moment after an arrival, whose first call would else wait for their beginnings."""
        last = self._came[-1] if self._came else self._arrivals.last
        return -math.inf if last is None else last + limits.REFILL_PAUSE_S

    def forecast(self, pooling: Pooling, now: float) -> Forecast:
        """How many spares there should be."""
        for at in self._came:
            self._arrivals.add(at)
        self._came.clear()
        return forecast(self._arrivals, pooling, now, start_s=self._tally.start_s)

    def missing(self, slots: Sequence[Slot], spares: int) -> list[ClientProfile | None]:
        """The clients for whom spares are to be started, None for one that is not to be spoken to."""
        kinds = missing_kinds(slots, spares, self._recent)
        return [None if kind is None else self._profiles[kind] for kind in kinds]
