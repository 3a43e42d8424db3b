"""What HTTP answers are made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transports.http import parse_accept


@pytest.mark.parametrize(
    ("header", "json", "events"),
    [
        (None, True, True),
        ("", True, True),
        ("*/*", True, True),
        ("application/json, text/event-stream", True, True),
        ("Application/JSON", True, False),
        ("application/*", True, False),
        ("text/event-stream;q=0.5", False, True),
        ("text/*", False, True),
        ("application/json;q=0, text/event-stream", False, True),
        ("*/*;q=0.0", False, False),
        ("text/html", False, False),
        ("image/png , text/event-stream ; charset=utf-8", False, True),
    ],
)
def test_accept(header: str | None, json: bool, events: bool) -> None:  # noqa: FBT001 -- a table
    """What may be answered to each."""
    accepted = parse_accept(header)
    assert (accepted.json, accepted.events) == (json, events)


@given(st.text())
def test_any_accept_header_can_be_read(header: str) -> None:
    """Nonsense accepts nothing; it never fails."""
    parse_accept(header)
