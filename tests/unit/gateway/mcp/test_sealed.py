"""Handles are opened by who got them, for what they were given, while they are good."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import StateRefused
from gateway.limits import MAX_SEALED_CHARS
from gateway.mcp import params
from gateway.mcp.sealed import Seal, StateClaims, TaskClaims, digest_of

Raw = msgspec.Raw

KEY = b"k" * 32
CLAIMS = StateClaims("home-1", "call-7", "alice", "tools/call", "d1", 100.0)
FITTING: dict[str, Any] = {
    "principal": "alice",
    "method": "tools/call",
    "digest": "d1",
    "now": 99.0,
}


@pytest.fixture
def seal() -> Seal:
    """A seal."""
    return Seal(KEY)


def test_a_state_comes_back_as_it_went(seal: Seal) -> None:
    """To its caller, with its request, in time."""
    token = seal.seal(CLAIMS)
    assert seal.open(token, **FITTING) == CLAIMS
    assert seal.open(token, **FITTING, instance="home-1") == CLAIMS
    assert Seal(KEY).open(token, **FITTING) == CLAIMS


def test_a_state_is_text_that_fits_anywhere_and_says_nothing(seal: Seal) -> None:
    """Two of the same claims differ."""
    token = seal.seal(CLAIMS)
    assert token.replace("-", "").replace("_", "").isalnum()
    assert "alice" not in token
    assert token != seal.seal(CLAIMS)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"principal": "bob"}, "somebody else"),
        ({"method": "prompts/get"}, "other params"),
        ({"digest": "d2"}, "other params"),
        ({"now": 100.0}, "expired"),
        ({"instance": "home-2"}, "another one"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(
    seal: Seal, changed: dict[str, Any], reason: str
) -> None:
    """-32602 that says why."""
    with pytest.raises(StateRefused, match=reason) as caught:
        seal.open(seal.seal(CLAIMS), **{**FITTING, **changed})
    assert caught.value.code == -32602


@pytest.mark.parametrize(
    "token",
    [
        "",
        "A",
        "AAAA",
        "A" * 100,
        "ä",
        "a b",
        "=",
        pytest.param(
            "A" * (MAX_SEALED_CHARS + 1),
            marks=pytest.mark.refuses("from_clients.MAX_SEALED_CHARS"),
        ),
    ],
)
def test_what_is_no_state_is_refused(seal: Seal, token: str) -> None:
    """Whatever clients make up."""
    with pytest.raises(StateRefused, match="not one of"):
        seal.open(token, **FITTING)


def test_a_state_is_written_in_one_way_only(seal: Seal) -> None:
    """Spare bits and other alphabets make no second token of the same call."""
    claims = StateClaims("h", "c", "p", "m", "d", 1.0)
    token = next(t for t in iter(lambda: seal.seal(claims), "") if "-" in t and len(t) % 4)
    for other in (token.replace("-", "+"), token + "=" * (-len(token) % 4), token[:-1] + "9"):
        with pytest.raises(StateRefused, match="not one of"):
            seal.open(other, principal="p", method="m", digest="d", now=0.0)


def test_a_state_of_another_key_is_refused(seal: Seal) -> None:
    """Another home's gateway knows nothing of it."""
    with pytest.raises(StateRefused, match="not one of"):
        Seal(b"other").open(seal.seal(CLAIMS), **FITTING)


def test_claims_of_another_release_are_refused(seal: Seal) -> None:
    """An update may change what is in them."""
    with pytest.raises(StateRefused, match="not one of"):
        seal.open(seal._lock(b"n" * 12, b"state", b"[1]"), **FITTING)


def test_a_task_has_one_id_for_each_caller(seal: Seal) -> None:
    """Clients compare them."""
    claims = TaskClaims("github", "t1", "alice", "session:1")
    token = seal.seal_task(claims)
    assert token == Seal(KEY).seal_task(claims)
    assert token != seal.seal_task(TaskClaims("github", "t1", "bob", "session:1"))
    assert seal.open_task(token, principal="alice") == claims


def test_a_task_of_somebody_else_does_not_exist(seal: Seal) -> None:
    """Nor does one that was made up, nor a state in its place."""
    token = seal.seal_task(TaskClaims("github", "t1", "alice", "session:1"))
    for handle, principal in ((token, "bob"), ("x", "alice"), (seal.seal(CLAIMS), "alice")):
        with pytest.raises(StateRefused, match="no such task"):
            seal.open_task(handle, principal=principal)
    with pytest.raises(StateRefused):
        seal.open(token, **FITTING)


def test_a_seal_does_not_show_its_key(seal: Seal) -> None:
    """Not even in a traceback."""
    assert repr(seal) == "<Seal>"


def digest(text: bytes) -> str:
    """The digest of params."""
    return digest_of(params.fields(Raw(text)))


def test_a_retry_has_the_digest_of_its_request() -> None:
    """With its answers, another `_meta`, and its JSON laid out otherwise."""
    first = digest(b'{"name":"t","arguments":{"a":1,"b":[1,2]},"_meta":{"x":1}}')
    retry = b'{"arguments": {"b": [1, 2], "a": 1}, "inputResponses": {}, "requestState": "s", "name": "t"}'
    assert digest(retry) == first
    assert digest(b'{"name":"t","arguments":{"a":2,"b":[1,2]}}') != first
    assert digest(b'{"name":"t"}') != first


def test_params_that_python_cannot_hold_have_a_digest() -> None:
    """That of their text."""
    assert digest(b'{"a":1e999}') == digest(b'{"a":1e999}')
    assert digest(b'{"a":1e999}') != digest(b'{"a":1e998}')
