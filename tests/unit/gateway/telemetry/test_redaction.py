"""Secrets do not get into texts."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.redaction import Redaction, redact, redact_values


def redaction(*values: str) -> Redaction:
    """A redaction of its own, that knows these values."""
    made = Redaction()
    made.add(values)
    return made


def test_every_occurrence_is_masked() -> None:
    """A value is masked wherever it stands, and the rest is left."""
    assert redaction("hunter22")("a hunter22 b hunter22") == "a *** b ***"


def test_overlapping_values_leave_no_rest() -> None:
    """Where two secrets overlap, nothing of either is left."""
    assert redaction("abcd", "cdefgh")("xabcdefghx") == "x***x"
    assert redaction("aaaa")("aaaaaa") == "***"


def test_values_are_added_never_taken_away() -> None:
    """A secret that was replaced by another one stays masked."""
    made = redaction("old-secret")
    made.add(["new-secret"])
    assert made("old-secret new-secret") == "*** ***"


def test_short_values_are_left_alone() -> None:
    """Masking "1" would make the logs unreadable."""
    assert redaction("1", "abc", "")("1 abc") == "1 abc"


def test_lines_of_a_key_are_masked_one_by_one() -> None:
    """A server that prints its key line by line gives nothing away."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----\n"
    assert redaction(key)("read MIIEvQIBADAN") == "read ***"


@pytest.mark.parametrize("write", [repr, json.dumps, lambda value: quote(value, safe="")])
def test_quoted_forms_are_masked(write: object) -> None:
    """Neither Python's nor JSON's nor a URL's way of writing it shows a secret."""
    assert "ge/heim" not in redaction('ge/heim"ü\\')(str(write({"a": 'ge/heim"ü\\'}["a"])))  # type: ignore[operator]  # parametrised callables


@given(st.lists(st.text("abc", min_size=4, max_size=6)), st.text("abc"))
def test_no_secret_survives(values: list[str], text: str) -> None:
    """Whatever the secrets and the text: no value is in what is left."""
    left = redaction(*values)(text)
    assert not any(value in left for value in values)


def test_the_common_redaction_learns() -> None:
    """`redact_values` feeds what all formatters ask."""
    redact_values(["a-secret-of-this-test"])
    assert redact("is a-secret-of-this-test") == "is ***"


@given(
    st.text("ab", max_size=40),
    st.lists(st.text("ab", min_size=4, max_size=6), max_size=3),
    st.integers(0, 45),
)
def test_a_cut_shows_what_the_whole_text_would(text: str, secrets: list[str], cut: int) -> None:
    """Masked and cut, a text is the beginning of the masked text; a secret at the cut is masked as a whole."""
    mask = redaction(*secrets)
    whole = mask(text)
    assert whole.startswith(mask(text, cut))
    assert mask(text, len(text)) == whole
    assert not any(secret in mask(text, cut) for secret in secrets)


def test_what_is_cut_off_costs_nothing() -> None:
    """A stranger may write a secret, or its pieces, a million times over."""
    made = redaction("aaaa")
    looked_at = made("a" * 50_000_000, 100)
    assert looked_at == "***"
    assert made("abc" * 20_000_000, 6) == "abcabc"
