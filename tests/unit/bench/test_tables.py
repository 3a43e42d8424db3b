"""Numbers as people read them."""

from __future__ import annotations

from bench.stats import Spread
from bench.tables import number, ratio, shown, table, whole


def test_numbers_have_the_digits_that_count() -> None:
    """No more than the measurement is worth."""
    assert [number(value) for value in (0.0, 0.0123, 1.234, 2.0, 56.78, 123.4, 30000.0)] == [
        "0",
        "0.0123",
        "1.23",
        "2",
        "56.8",
        "123",
        "30000",
    ]
    assert (whole(1.6), ratio(1.234), ratio(0.01234)) == ("2", "1.23", "0.0123")


def test_a_table_is_markdown() -> None:
    """Words to the left, numbers to the right."""
    assert table(("", "ms"), [("a", shown(Spread(2, 1, 3), whole))]) == (
        "|  | ms |\n| --- | ---: |\n| a | 2 (1–3) |"
    )
