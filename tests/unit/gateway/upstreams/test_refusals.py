"""What an HTTP status means, as a sentence."""

from __future__ import annotations

import pytest

from gateway.upstreams.refusals import Asked, Refused, SessionLost, refusal

ASKED = Asked("fake", "https://h/mcp", ("Authorization", "X-Org"))
WITHOUT_HEADERS = Asked("fake", "https://h/mcp", ())


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (302, "redirects elsewhere (302 Found)"),
        (401, "check the secrets in the header Authorization and X-Org of its entry"),
        (407, "HTTPS_PROXY"),
        (413, "takes no message of this size"),
        (422, "refuses the request (422 "),
        (502, "got no answer from it (502): the outcome is unknown"),
        (599, "failed to handle the request (599)"),
        (799, "refuses the request (799)"),
    ],
)
def test_each_status_has_its_sentence(status: int, text: str) -> None:
    """Who, what, and what to do."""
    error = refusal(ASKED, status, {}, in_session=False)
    assert isinstance(error, Refused)
    assert error.status == status
    assert str(error).startswith("server 'fake' (https://h/mcp) ")
    assert text in str(error)


def test_an_entry_without_headers_is_told_to_have_one() -> None:
    """There is no secret to check yet."""
    error = refusal(WITHOUT_HEADERS, 401, {}, in_session=False)
    assert "its entry sends no headers; add one with a secret" in str(error)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        ("120", "in 120 s"),
        ("soon\x1b[31m", "later"),
        ("", "later"),
        ("x" * 1000, "later"),
        ("9" * 10_000, f"in {'9' * 40} s"),
    ],
)
def test_when_to_try_again(hint: str, text: str) -> None:
    """As the server says, if it says something printable and short."""
    error = refusal(ASKED, 429, {"retry-after": hint}, in_session=False)
    assert str(error).endswith(f"try again {text}")


@pytest.mark.parametrize(
    ("status", "said", "in_session", "is_lost"),
    [
        (404, "", True, True),
        (404, "", False, False),
        (400, "Bad Request: No valid session ID provided", True, True),
        (400, "unknown Session", False, False),
        (400, "bad params", True, False),
        (401, "session expired", True, False),
    ],
)
def test_when_a_session_is_lost(status: int, said: str, *, in_session: bool, is_lost: bool) -> None:
    """Only a request that named one can tell."""
    error = refusal(ASKED, status, {}, said=said, in_session=in_session)
    assert isinstance(error, SessionLost) is is_lost


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_what_may_pass_is_retryable(status: int) -> None:
    """Nothing has to be changed before the next attempt."""
    assert refusal(ASKED, status, {}, in_session=False).retryable


def test_what_a_server_says_is_quoted_on_one_line_and_short() -> None:
    """It may be anything."""
    error = refusal(ASKED, 500, {}, said="a\nb " * 1000, in_session=False)
    assert "; it says: a b a b" in str(error)
    assert len(str(error)) < 400
