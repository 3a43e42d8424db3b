"""What goes to wrk, and what comes back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import Broken
from bench.load.wrk import parse_report, quoted


@given(st.binary())
def test_any_bytes_are_a_string_of_lua(content: bytes) -> None:
    """Three decimal digits behind a backslash are one byte, whatever comes next."""
    text = quoted(content)
    assert re.fullmatch(r'"(\\\d{3})*"', text)
    assert bytes(int(number) for number in re.findall(r"\\(\d{3})", text)) == content


def test_the_report_is_found_among_the_rest() -> None:
    """The numbers are in the order in which the script prints them."""
    said = "Running 1s test @ http://127.0.0.1:1/\n  2 requests\n@ 10 1000 2000 0 1.5 2 3 4 17\n"
    assert parse_report(said) == (10, 1000, 2000, 0, 1.5, 2, 3, 4, 17)


def test_no_report_is_named() -> None:
    """What it said instead is shown."""
    with pytest.raises(Broken, match="unable to connect"):
        parse_report("unable to connect to 127.0.0.1:1 Connection refused\n")
