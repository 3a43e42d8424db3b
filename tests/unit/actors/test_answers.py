"""What servers answer with, or fail to, as the answers of calls."""

from __future__ import annotations

import pytest

from actors.answers import failure_of, loss_of
from gateway.errors import Gone, Overloaded
from gateway.jsonrpc.messages import Failure
from tests.fakes.house import Answers


def test_an_error_keeps_its_code_and_its_sentence() -> None:
    """A client reads both."""
    assert failure_of(Overloaded("too much")) == Failure(None, Overloaded.code, "too much")


@pytest.mark.parametrize(
    ("method", "sentence", "said"),
    [
        ("tools/call", "it died", "it died; the call's outcome is unknown"),
        ("tools/call", "it died: the outcome is unknown", "it died: the outcome is unknown"),
        ("prompts/get", "it died", "it died"),
    ],
)
async def test_what_may_have_had_effects_says_so_once(
    method: str, sentence: str, said: str
) -> None:
    """Nothing else changes anything."""
    call = Answers().call()
    call.method = method
    assert loss_of(call, Gone(sentence)).message == said
