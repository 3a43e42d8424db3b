"""`Retry-After` in both of its forms, and what is neither."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.upstreams.retry_after import retry_after_s

NOW = datetime(1999, 12, 31, 23, 59, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Fri, 31 Dec 1999 23:59:59", 59.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("\u0661", None),
        ("Fri, 99 Dec 1999 23:59:59 GMT", None),
    ],
)
def test_what_a_server_says(said: str, seconds: float | None) -> None:
    """What cannot be read is as good as nothing; what is past means now."""
    assert retry_after_s({"retry-after": said}, NOW) == seconds


def test_a_server_that_says_nothing() -> None:
    """Most do not."""
    assert retry_after_s({}) is None


def test_a_date_counts_from_now() -> None:
    """Without another moment to count from."""
    found = retry_after_s({"retry-after": "Fri, 31 Dec 2199 23:59:59 GMT"})
    assert found is not None
    assert found > 0
