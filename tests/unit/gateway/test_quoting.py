"""What somebody sent, in texts of ours."""

from __future__ import annotations

import pytest

from gateway.quoting import QUOTED_CHARS, quoted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", "'a'"),
        ("two\nlines\x1b", r"'two\nlines\x1b'"),
        ("x" * QUOTED_CHARS, f"'{'x' * QUOTED_CHARS}'"),
        ("x" * (QUOTED_CHARS + 1), f"'{'x' * QUOTED_CHARS}…'"),
        (7, "7"),
        (0.5, "0.5"),
        (10**QUOTED_CHARS, f"1{'0' * (QUOTED_CHARS - 1)}…"),
    ],
)
def test_texts_and_numbers_are_quoted_on_one_line_and_cut(value: str | float, shown: str) -> None:
    """What ends a line or steers a terminal is written out."""
    assert quoted(value) == shown
