"""Markdown tables and numbers in them. Pure; must not know what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.stats import Spread

NONE: Final = "–"

Cells = Sequence[str]


def table(head: Cells, rows: Iterable[Cells], *, words: int = 1) -> str:
    """A Markdown table: the first `words` columns to the left, numbers to the right."""
    marks = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *rows))


def shown(values: Spread, form: Callable[[float], str]) -> str:
    """A median with its lowest and highest."""
    return f"{form(values.median)} ({form(values.low)}–{form(values.high)})"


def whole(value: float) -> str:
    """Without decimals."""
    return f"{value:.0f}"


def ratio(value: float) -> str:
    """With as many decimals as a ratio needs."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}"
