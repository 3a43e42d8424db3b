"""The matcher against the regular expressions it replaces."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.mcp.uri_templates import parse_template

_pieces = st.sampled_from(
    [("a", "a"), ("/", "/"), ("?", r"\?"), ("{x}", "[^/]+"), ("{+x}", ".+"), ("{?x}", r"(?:\?.*)?"), ("{/x*}", "(?:/.*)?")]
)  # fmt: skip


@given(st.lists(_pieces, max_size=6), st.text("a/?b\n", max_size=8))
def test_a_match_is_what_a_regular_expression_would_find(
    pieces: list[tuple[str, str]], uri: str
) -> None:
    """On short input, where both can run."""
    template = parse_template("".join(text for text, _ in pieces))
    pattern = re.compile("".join(regex for _, regex in pieces), re.DOTALL)
    assert template.matches(uri) == (pattern.fullmatch(uri) is not None)


@given(st.text())
def test_any_text_is_a_template(text: str) -> None:
    """And matches itself where it holds no expression."""
    template = parse_template(text)
    if not re.search(r"\{[^{}]*\}", text):
        assert template.matches(text)
