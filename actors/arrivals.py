"""When owners came who needed a container of their own, and what that says of the next ones. Pure: times in, numbers out.

A histogram of the gaps between arrivals, as in "Serverless in the Wild" (Shahrad et al., USENIX ATC 2020): its tail decides
how long spares are kept after an arrival, its head how long none is needed. A history that says too little gives no
forecast at all; then only the configured floor of spares is kept.
"""

from __future__ import annotations

import math
from typing import Final

from gateway import limits

_FIRST_S: Final = 0.01
"""Upper bound of the first bin: shorter gaps are one burst."""
_RATIO: Final = math.sqrt(2)
"""Between the bounds of neighbouring bins: a gap is known to 40 %, from a hundredth of a second to three hours, in 40 bins."""
_BINS: Final = 40
_FULL: Final = 256
"""At so many gaps all counts are halved: what was usual long ago fades."""
_HEAD: Final = 0.05
_TAIL: Final = 0.99
_MARGIN: Final = 0.1
"""Both percentiles are moved apart by so much, as the paper does: history is no promise."""


class Arrivals:
    """The history of one server. Times are on one clock, in seconds, and never go back."""

    def __init__(self) -> None:
        self.last: float | None = None
        """The newest arrival; None before the first."""
        self._counts = [0] * _BINS
        self._beyond = 0
        """Gaps longer than the last bin: nobody waits for those."""

    def __repr__(self) -> str:
        """How many gaps are known, and their middle."""
        return f"<Arrivals {self.known} gaps, median {self.gap_s(0.5):g} s>"

    @property
    def known(self) -> int:
        """Gaps that count."""
        return sum(self._counts) + self._beyond

    def add(self, now: float) -> None:
        """Somebody came who needs a container of its own."""
        if self.last is not None:
            gap = now - self.last
            index = 0 if gap <= _FIRST_S else math.ceil(math.log(gap / _FIRST_S, _RATIO))
            if index < _BINS:
                self._counts[index] += 1
            else:
                self._beyond += 1
            if self.known >= _FULL:
                self._counts = [count // 2 for count in self._counts]
                self._beyond //= 2
        self.last = now

    def gap_s(self, share: float) -> float:
        """The gap that `share` of all gaps do not exceed, rounded up to its bin; infinite where it is beyond all bins."""
        rank = share * self.known
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return _FIRST_S * _RATIO**index
        return math.inf

    def window(self, *, idle_s: float) -> tuple[float, float] | None:
        """From when until when the next arrival is expected.

        Args:
            idle_s: nobody is expected later than this after the last arrival.

        Returns:
            Two times; None where the history says too little, or speaks of longer gaps than `idle_s`.
        """
        if self.last is None or self.known < limits.FORECAST_GAPS:
            return None
        if self.gap_s(0.5) > idle_s:
            return None
        # The bin's lower bound: the head must not be later than what was seen.
        head_s = self.gap_s(_HEAD) / _RATIO * (1 - _MARGIN)
        tail_s = min(self.gap_s(_TAIL) * (1 + _MARGIN), idle_s)
        return self.last + min(head_s, tail_s), self.last + tail_s

    def during(self, lead_s: float) -> int:
        """How many are to be expected within `lead_s`, at the usual gap; at least one."""
        gap_s = self.gap_s(0.5)
        return max(1, math.ceil(lead_s / gap_s)) if gap_s < math.inf else 1
